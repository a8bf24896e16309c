"""Gather what the gates look at: the same facts for sending, for a preview and for “Explain”."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from cart import selectors as carts
from cart.idle import RecordedCart
from cart.offers import Offers, list_offers
from cart.types import Cart, CartRef
from notifications import links, rules, selectors
from notifications.conf import conf
from notifications.models import Abandonment, Campaign, Message
from notifications.rules import Facts
from notifications.types import ReminderLine
from shop.accounts import selectors as accounts
from shop.accounts.selectors import Contact
from shop.checkout import following
from shop.checkout.following import BuyerProfile, Doings
from shop.core import money
from shop.core.money import Money

_NOTHING = Doings(has_ordered=False, has_live_checkout=False, bought=frozenset())


@dataclass(frozen=True, slots=True)
class Around:
    """What is read outside the transaction: Redis, the customer, cards, prices, stock. It may be a moment old."""

    live: Cart
    contact: Contact | None
    profile: BuyerProfile
    offers: Offers


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one customer and cart: for the gates, and for the mail."""

    facts: Facts
    lines: tuple[ReminderLine, ...]
    counts_opens: bool = False
    """The shop asks for it, and the customer has agreed."""


def look_around(*, user_ids: Sequence[int], now: datetime) -> dict[int, Around]:
    """Read what needs no lock, for several customers at once: a few queries, and their live carts in one pipeline."""
    live = dict(zip(user_ids, carts.list_carts(refs=[CartRef("u", str(user_id)) for user_id in user_ids]), strict=True))
    contacts, profiles = accounts.list_contacts(user_ids=user_ids), following.list_profiles(user_ids=user_ids)
    offers = {
        currency: list_offers(
            sku_ids={line.sku_id for cart in live.values() if cart.currency == currency for line in cart.lines},
            now=now,
            code=currency,
        )
        for currency in sorted({cart.currency for cart in live.values()})
    }
    return {
        user_id: Around(
            live=cart,
            contact=contacts.get(user_id),
            profile=_as_chosen(profiles[user_id], contacts.get(user_id)),
            offers=offers[cart.currency],
        )
        for user_id, cart in live.items()
    }


def _as_chosen(profile: BuyerProfile, contact: Contact | None) -> BuyerProfile:
    return replace(profile, language=contact.language) if contact and contact.language else profile


def gather(
    *,
    campaign: Campaign,
    record: RecordedCart | None,
    around: Around,
    now: datetime,
    abandoned_at: datetime,
    event: Abandonment | None = None,
    message: Message | None = None,
) -> Case:
    """Gather the facts about a customer's cart; without event and message those of somebody not enrolled yet.

    Whether somebody has ordered, said no, or is suppressed is read here and now: call it under the cart's lock.
    """
    contact, user_id = around.contact, record.user_id if record else (event.user_id if event else None)
    email = contact.email if contact else ""
    doings = (
        following.find_doings(
            user_id=user_id,
            email=email,
            since=abandoned_at,
            lines={line.sku_id: line.added_at for line in record.lines} if record else {},
            now=now,
        )
        if user_id is not None
        else _NOTHING
    )
    lines = _sellable_lines(record, around, bought=doings.bought) if record else ()
    told = selectors.find_standing(
        user_id=user_id,
        hashes=links.address_hashes(email) if email else (),
        event_id=event.pk if event else None,
        now=now,
    )
    is_first = message is None or message.step_no == 1
    loud_at = rules.next_loud_moment_in_all(
        now,
        start=campaign.quiet_start,
        end=campaign.quiet_end,
        zones=(contact.time_zone,) if contact and contact.time_zone else rules.zones_of(around.profile.country),
        otherwise=conf().default_time_zone,
    )
    facts = Facts(
        now=now,
        campaign_state=campaign.state,
        late_after=message.late_after if message else None,
        is_event_open=event.closed_at is None if event else None,
        record_state=record.state if record else "gone",
        units=record.units if record else 0,
        is_content_as_enrolled=_is_as_enrolled(record, event),
        has_newer_live_cart=(
            not around.live.is_copy and record is not None and around.live.content_version > record.content_version
        ),
        has_ordered_since=doings.has_ordered,
        has_live_checkout=doings.has_live_checkout,
        is_staff=contact is not None and contact.is_staff,
        is_active=contact is not None and contact.is_active,
        has_address=bool(email),
        is_verified=contact is not None and contact.is_verified,
        is_suppressed=told.is_suppressed,
        is_opted_out=told.wish is False,
        has_basis=selectors.has_basis(around.profile, wish=told.wish),
        is_event_new=None if event or record is None else not _is_known(record),
        has_open_event=None if event else _has_open_event(user_id),
        is_cooling_down=told.is_cooling_down if is_first else None,
        has_reached_cap=told.sent_lately >= conf().max_a_month if is_first else None,
        loud_at=loud_at,
        sellable_lines=len(lines),
        is_large_enough=record is not None and is_large_enough(campaign, record.value_minor, record.currency),
        is_same_currency=record is not None and record.currency == around.live.currency,
    )
    return Case(facts=facts, lines=lines, counts_opens=conf().count_opens and told.allows_opens)


def is_large_enough(campaign: Campaign, value_minor: int, currency: str) -> bool:
    """Tell whether a cart of this value is one that the campaign is about."""
    return rules.is_large_enough(
        value_minor,
        currency,
        own=settings.PRICING.currency,
        minimum_minor=campaign.minimum_minor,
        others=campaign.other_minimums,
    )


def _sellable_lines(record: RecordedCart, around: Around, *, bought: Collection[str]) -> tuple[ReminderLine, ...]:
    """List what can be bought now: without lines bought since they were added, quantities cut to the stock."""
    offers, kept = around.offers, []
    for line in record.lines:
        quantity = min(line.quantity, offers.available(line.sku_id))
        if line.sku_id in bought or not offers.is_sold(line.sku_id) or quantity < 1:
            continue
        kept.append(
            ReminderLine(
                card=offers.cards[line.sku_id],
                quantity=quantity,
                unit_price=offers.prices[line.sku_id],
                price_at_add=line.price_at_add,
            )
        )
    return tuple(kept)


def total_of(case: Case) -> Money:
    """Add up the lines, of which there is at least one."""
    return money.total([line.line_total for line in case.lines], case.lines[0].unit_price.currency)


def _is_as_enrolled(record: RecordedCart | None, event: Abandonment | None) -> bool | None:
    if event is None:
        return None
    return record is not None and record.content_version == event.content_version


def _is_known(record: RecordedCart) -> bool:
    return Abandonment.objects.filter(cart_record_id=record.record_id, content_version=record.content_version).exists()


def _has_open_event(user_id: int | None) -> bool:
    return Abandonment.objects.filter(user_id=user_id, closed_at__isnull=True).exists()
