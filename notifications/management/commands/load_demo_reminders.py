"""`manage.py load_demo_reminders`: a running campaign with a made-up past, and carts that were left hours ago."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from cart import idle
from cart.types import CartLine
from inventory import selectors as inventory
from notifications import rules, services
from notifications.models import Abandonment, Attribution, Campaign, Message, Step, Touch, Variant
from notifications.types import EventState, MessageKind, MessageState, Template, TouchKind
from pricing import selectors as pricing
from shop.accounts import selectors as accounts
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.ids import new_id

SLUG = "cart"
PEOPLE = (("grace@example.com", 2), ("alan@example.com", 3), ("mary@example.com", 1.5))
"""Who has left a cart, and how many hours before the first start."""
PAST_EVENTS = 6_000
PAST_DAYS = 28
SHARES = {"holdout": 0.085, "a": 0.104, "b": 0.116}
"""How many ordered within a week, in the made-up past."""
SEED = 1815


class Command(BaseCommand):
    """Seed reminders for the demo; running it again changes nothing."""

    help = "Start a campaign with a made-up past, and leave the carts of three customers. What is there stays."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Load what is missing.

        :raises CommandError: if this is a production server.
        """
        if settings.SETTINGS_MODULE.endswith(".prod"):
            raise CommandError("This makes up a past: not on a production server.")
        if Campaign.objects.filter(slug=SLUG).exists():
            return
        with transaction.atomic():
            users = [(accounts.find_contact_by_email(email=email), hours) for email, hours in PEOPLE]
            people = [(contact.user_id, hours) for contact, hours in users if contact is not None]
            campaign = _make_campaign([user_id for user_id, _ in people])
            _make_past(campaign)
            services.count_report(campaign=campaign, now=clock.now())
            left = sum(_leave_cart(user_id, hours, place) for place, (user_id, hours) in enumerate(people))
        self.stdout.write(f"A campaign is running, and {left} customers have left their carts.")


def _make_campaign(user_ids: list[int]) -> Campaign:
    """Start a campaign a while ago, with a salt that puts none of the demo's customers into the hold-out."""
    salts = (f"demo{number}" for number in range(10_000))
    salt = next(salt for salt in salts if not any(rules.are_held_out(salt, user_ids, holdout_bp=1_000)))
    campaign = Campaign.objects.create(
        slug=SLUG,
        name="Cart reminder",
        salt=salt,
        # Never quiet: whoever starts the demo at night wants to see a mail, too.
        quiet_start="08:00",
        quiet_end="08:00",
    )
    for key, subject in (("a", ""), ("b", "Still thinking about {item}?")):
        variant = Variant.objects.create(campaign=campaign, key=key, weight_bp=5_000)
        # The second way: ten per cent off, for carts worth it.
        percent = 10 if key == "b" else 0
        Step.objects.create(variant=variant, number=1, subject=subject, code_percent=percent, code_minimum_minor=5_000)
    return services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=PAST_DAYS))


def _make_past(campaign: Campaign) -> None:
    """Make up events that are over: of nobody, so that nobody's purchases or addresses are made up."""
    chance, now = random.Random(SEED), clock.now()  # noqa: S311 - the same past at every first start
    steps = {variant.key: variant.steps.get(number=1) for variant in campaign.variants.all()}
    events = []
    for number in range(PAST_EVENTS):
        key, is_holdout = chance.choice("ab"), chance.random() < campaign.holdout_bp / 10_000
        enrolled = now - timedelta(days=8 + chance.random() * (PAST_DAYS - 8))
        has_ordered = chance.random() < SHARES["holdout" if is_holdout else key]
        after = timedelta(hours=min(160.0, chance.expovariate(1 / 30)))
        value = chance.randrange(1_500, 12_000, 50)
        events.append(
            Abandonment(
                cart_record_id=-1 - number,
                content_version=1,
                campaign=campaign,
                variant=steps[key].variant,
                is_holdout=is_holdout,
                state=(EventState.CONVERTED if has_ordered else EventState.EXPIRED).value,
                close_reason="order_since" if has_ordered else "window_over",
                abandoned_at=enrolled - timedelta(hours=1),
                enrolled_at=enrolled,
                closed_at=enrolled + (after if has_ordered else campaign.outcome_window),
                currency=settings.PRICING.currency,
                value_minor=value,
                ordered_at=enrolled + after if has_ordered else None,
                order_minor=value if has_ordered else 0,
            )
        )
    made = Abandonment.objects.bulk_create(events, batch_size=1_000)
    messages = Message.objects.bulk_create([_past_message(event, steps, campaign) for event in made], batch_size=1_000)
    sent = [message for message in messages if message.state == MessageState.SENT.value]
    clicked = [message for message in sent if chance.random() < 0.22]  # noqa: PLR2004 - a made-up share
    touches = [
        Touch(message=message, kind=kind.value, visitor="", at=message.due_at + timedelta(hours=2))
        for message in clicked
        for kind in (TouchKind.CLICK, TouchKind.RESTORE)
        if kind is TouchKind.CLICK or chance.random() < 0.6  # noqa: PLR2004 - a made-up share
    ]
    Touch.objects.bulk_create(touches, batch_size=1_000)
    Attribution.objects.bulk_create(
        [
            Attribution(
                order_number=f"demo_{touch.message_id}",
                model=touch.kind,
                campaign=campaign,
                message_id=touch.message_id,
                at=event.ordered_at,
                total_minor=event.order_minor,
                currency=event.currency,
            )
            for touch in touches
            if (event := touch.message.abandonment) is not None and event.ordered_at is not None
        ],
        batch_size=1_000,
    )


def _past_message(event: Abandonment, steps: dict[str, Step], campaign: Campaign) -> Message:
    at = event.enrolled_at + timedelta(seconds=30)
    sent_at = None if event.is_holdout else at
    return Message(
        kind=MessageKind.RECOVERY.value,
        template_key=Template.REMINDER.value,
        abandonment=event,
        step=steps[event.variant.key],
        step_no=1,
        public_id=new_id("msg"),
        state=(MessageState.GHOST if event.is_holdout else MessageState.SENT).value,
        due_at=at,
        late_after=at + campaign.max_lateness,
        created_at=event.enrolled_at,
        handed_at=sent_at,
        sent_at=sent_at,
        attempts=1,
    )


def _leave_cart(user_id: int, hours: float, place: int) -> bool:
    """Let a customer have left three things that can be bought, some time ago."""
    currency, now = settings.PRICING.currency, clock.now()
    cards = catalog.list_skus(query="", limit=60, cursor="").skus
    stock = inventory.availability(sku_ids=[card.sku_id for card in cards])
    prices = pricing.current_prices(sku_ids=[card.sku_id for card in cards], currency=currency, now=now)
    there = [card for card in cards if card.sku_id in prices and stock[card.sku_id].available > 3]  # noqa: PLR2004 - plenty
    at = now - timedelta(hours=hours)
    lines = [
        CartLine(card.sku_id, number + 1, prices[card.sku_id], at - timedelta(minutes=3 - number))
        for number, card in enumerate(there[place * 7 : place * 7 + 21 : 7])
    ]
    return bool(lines) and idle.put_idle_record(user_id=user_id, lines=lines, last_activity_at=at, currency=currency)
