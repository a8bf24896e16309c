"""Personal codes in reminders, the rate of sending, and campaigns that pause themselves."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from pytest_django import Settings

from cart import idle
from cart import selectors as carts
from cart import services as cart
from cart.types import CartLine, CartRef, CartView
from notifications import rules, services
from notifications.errors import CampaignNotReadyError
from notifications.models import Abandonment, Campaign, DiscountGrant, Message, RateBucket, SkipCount, Step, Variant
from notifications.rules import breakers
from notifications.services import explaining, granting, limiting
from notifications.services.judging import Case
from notifications.types import ReminderLine
from pricing import selectors as pricing
from pricing.models import DiscountCode
from shop.catalog.selectors import get_card
from shop.checkout.models import Order
from shop.core import clock
from shop.core.money import Money
from tests.checkout.helpers import fill, make_sku, pay, start
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_mail, the_message
from tests.notifications.helpers import mail_server, put_into
from tests.notifications.test_order_mail import use

pytestmark = pytest.mark.django_db


def with_code(minimum: int = 0, slug: str = "codes") -> Campaign:
    """Start a campaign whose mail carries ten per cent off, from a minimum on."""
    campaign = Campaign.objects.create(
        slug=slug, name="Come back", holdout_bp=0, quiet_start="08:00", quiet_end="08:00"
    )
    variant = Variant.objects.create(campaign=campaign, key="a")
    Step.objects.create(variant=variant, number=1, code_percent=10, code_minimum_minor=minimum)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now())
    Campaign.objects.update(activated_at=clock.now() - timedelta(days=10))
    return campaign


def code_of_mail() -> str:
    """Give the code in the last mail, empty if there is none."""
    found = re.search(r"with the code (\w{16})", str(the_mail().body))
    return found.group(1) if found else ""


def test_a_cart_over_the_minimum_gets_a_code_that_only_its_customer_can_use() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user, {"MUG": 2})
    with_code(minimum=2_400)
    assert run() == 1
    code = code_of_mail()
    row = DiscountCode.objects.get()
    assert (row.user_id, row.max_uses, row.is_personal, row.promotion.value) == (user.pk, 1, True, 10)
    assert row.code_hash != code
    assert pricing.find_code(text=code, owner=f"u:{user.pk}") == row.pk
    grant = DiscountGrant.objects.get()
    assert (grant.code_id, grant.message_id, grant.voided_at) == (row.pk, the_message().pk, None)


def test_a_smaller_cart_gets_the_mail_without_a_code() -> None:
    make_sku()
    leave_cart(make_customer(), {"MUG": 2})
    with_code(minimum=2_401)
    assert run() == 1
    assert code_of_mail() == ""
    assert not DiscountGrant.objects.exists()


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (2_400, "GBP", True),
        (2_399, "GBP", False),
        (3_000, "EUR", True),
        (2_999, "EUR", False),
        (9_999, "USD", False),
    ],
)
def test_a_minimum_counts_in_the_currency_that_it_is_named_for(value: int, currency: str, *, expected: bool) -> None:
    about = {"own": "GBP", "others": "JPY:5000, EUR:3000"}
    assert rules.is_large_enough(value, currency, minimum_minor=2_400, **about) is expected
    assert rules.is_large_enough(1, currency, minimum_minor=0, **about)


def leave_euros(unit_price: int) -> None:
    """Let a customer have left one MUG at a price in euros."""
    at = clock.now() - timedelta(hours=2)
    line = CartLine("MUG", 1, Money(unit_price, "EUR"), at)
    assert idle.put_idle_record(user_id=make_customer().pk, lines=[line], last_activity_at=at, currency="EUR")


def test_a_cart_in_another_currency_is_found_and_gets_its_code_by_the_minimum_of_that_currency() -> None:
    make_sku()
    campaign = with_code(minimum=2_400)
    Campaign.objects.update(minimum_minor=1_000, other_minimums="EUR:3000")
    leave_euros(2_999)
    leave_euros(3_000)
    assert services.detect(now=clock.now()) == 1
    assert SkipCount.objects.get(campaign=campaign).reason == "below_minimum"

    message = Message.objects.select_related("step", "abandonment").get(kind="recovery")
    event, now = Abandonment.objects.get(), clock.now()
    line = ReminderLine(get_card(sku_id="MUG"), 1, Money(3_000, "EUR"), None)
    case = Case(facts=rules.Facts(now=now), lines=(line,))
    assert granting.grant(message=message, event=event, case=case, now=now) is None, "none is named in euros"
    assert message.step is not None
    message.step.code_other_minimums = "EUR:3000"
    assert granting.grant(message=message, event=event, case=case, now=now) is not None


def with_amount(**fields: Any) -> Campaign:
    """Start a campaign whose mail carries £5 off carts from £24 on, or 4 euros from 30."""
    campaign = Campaign.objects.create(
        slug="amounts", name="Come back", holdout_bp=0, quiet_start="08:00", quiet_end="08:00"
    )
    about = {"code_amount_minor": 500, "code_minimum_minor": 2_400}
    others = {"code_other_amounts": "EUR:400", "code_other_minimums": "EUR:3000,USD:2000"}
    Step.objects.create(
        variant=Variant.objects.create(campaign=campaign, key="a"), number=1, **{**about, **others, **fields}
    )
    services.start_campaign(campaign_id=campaign.pk, now=clock.now())
    Campaign.objects.update(activated_at=clock.now() - timedelta(days=10))
    return campaign


def see(ref: CartRef) -> CartView:
    """Look at a cart as its page does."""
    return carts.view_cart(ref=ref, locale="en", now=clock.now())


def test_an_amount_off_is_told_with_its_condition_and_taken_off_once() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user, {"MUG": 2})
    with_amount()
    assert run() == 1
    text, html = str(the_mail().body), str(the_mail().alternatives[0][0])
    for part in (text, html):
        assert "£5.00 less, for carts from £24.00 on, with the code" in part
        assert "%" not in part.split("less, for carts")[1].split("works once")[0]
    row = DiscountCode.objects.select_related("promotion").get()
    brings = (row.promotion.kind, row.promotion.value, row.promotion.currency, row.promotion.minimum_minor)
    assert brings == ("amount", 500, "GBP", 2_400)
    assert (row.user_id, row.max_uses) == (user.pk, 1)

    ref = CartRef("u", str(user.pk))
    cart.apply_code(ref=ref, code=code_of_mail(), now=clock.now())
    assert [discount.amount.minor for discount in see(ref).discounts] == [500]
    pay(fill(start(ref), ref), ref)
    services.attribute_orders(now=clock.now())
    event = Abandonment.objects.get()
    assert (event.code_minor, event.order_minor) == (500, Order.objects.get().total_minor)
    assert services.void_grants(now=clock.now()) == 1, "its customer has ordered"


def test_an_amount_is_off_no_longer_when_the_cart_falls_below_its_condition() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user, {"MUG": 2})
    with_amount()
    run()
    ref = CartRef("u", str(user.pk))
    cart.apply_code(ref=ref, code=code_of_mail(), now=clock.now())
    cart.set_quantity(ref=ref, sku_id="MUG", quantity=1, now=clock.now())
    found = see(ref)
    assert found.discounts == ()
    assert [off.reason for off in found.codes_off] == ["code_minimum"]


@pytest.mark.parametrize(
    ("currency", "value", "off"),
    [
        ("GBP", 2_400, 500),
        ("GBP", 2_399, 0),
        ("EUR", 3_000, 400),
        ("EUR", 2_999, 0),
        ("USD", 9_999, 0),
        ("JPY", 9_999, 0),
    ],
)
def test_an_amount_goes_to_carts_of_its_currency_from_its_minimum_on(currency: str, value: int, off: int) -> None:
    make_sku()
    leave_cart(make_customer())
    with_amount()
    services.detect(now=clock.now())
    message, event, now = Message.objects.get(kind="recovery"), Abandonment.objects.get(), clock.now()
    line = ReminderLine(get_card(sku_id="MUG"), 1, Money(value, currency), None)
    found = granting.grant(message=message, event=event, case=Case(facts=rules.Facts(now=now), lines=(line,)), now=now)
    assert (found.off.amount if found else None) == (Money(off, currency) if off else None)
    if off:
        assert DiscountCode.objects.get().promotion.currency == currency


def test_an_amount_only_in_another_currency_leaves_the_shops_own_without_a_code() -> None:
    make_sku()
    leave_cart(make_customer())
    with_amount(code_amount_minor=0, code_minimum_minor=0)
    assert run() == 1
    assert code_of_mail() == ""
    assert list(Step.objects.get().promotion_ids) == ["EUR"]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"code_amount_minor": 500, "code_minimum_minor": 500}, "code_minimum_minor"),
        ({"code_amount_minor": 500}, "code_minimum_minor"),
        ({"code_other_amounts": "EUR:500", "code_other_minimums": "EUR:500"}, "code_other_minimums"),
        ({"code_other_amounts": "EUR:500", "code_minimum_minor": 9_000}, "code_other_minimums"),
        ({"code_percent": 10, "code_amount_minor": 500, "code_minimum_minor": 900}, "__all__"),
        ({"code_other_amounts": "EUR"}, "code_other_amounts"),
    ],
)
def test_a_code_that_gives_carts_away_is_refused_by_the_form_and_at_the_start(
    fields: dict[str, Any], where: str
) -> None:
    campaign = Campaign.objects.create(slug="away", name="Away")
    step = Step(variant=Variant.objects.create(campaign=campaign, key="a"), number=1, **fields)
    with pytest.raises(ValidationError) as refused:
        step.full_clean()
    assert list(refused.value.message_dict) == [where]
    if where.startswith("code_m") or where == "code_other_minimums":
        step.save()
        with pytest.raises(CampaignNotReadyError) as caught:
            services.start_campaign(campaign_id=campaign.pk, now=clock.now())
        assert caught.value.problem == "gives_away"
    elif where == "__all__":
        with pytest.raises(IntegrityError), transaction.atomic():
            step.save()


def test_a_preview_shows_the_amount_of_its_currency() -> None:
    make_sku()
    user = make_customer()
    leave_cart(user)
    campaign = with_amount()
    found = explaining.explain(campaign=campaign, user_id=user.pk, now=clock.now())
    assert found is not None
    letter = explaining.preview(step=Step.objects.get(), explanation=found)
    assert "£5.00 less, for carts from £24.00 on, with the code XXXX" in letter.text
    assert not DiscountCode.objects.exists()


@pytest.mark.parametrize("text", ["EUR", "EUR:1,EUR:2", "eur:5", "EUR:-5", "EUR:6000;JPY:1"])
def test_minimums_that_are_not_well_formed_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Campaign(slug="x", name="x", other_minimums=text).clean_fields()


def test_abandoning_again_brings_no_second_code_for_a_while() -> None:
    make_sku()
    leave_cart(make_customer())
    with_code()
    run()
    Abandonment.objects.update(state="expired", closed_at=clock.now(), cooldown_range=None, content_version=1)
    services.detect(now=clock.now(), is_sweep=True)
    assert services.send_reminders(now=clock.now()) == 1
    assert code_of_mail() == ""
    assert DiscountGrant.objects.count() == 1


def test_ghosts_get_no_code() -> None:
    make_sku()
    leave_cart(make_customer())
    with_code()
    services.detect(now=clock.now())
    Abandonment.objects.update(is_holdout=True)
    run()
    assert the_message().state == "ghost"
    assert not DiscountCode.objects.exists()


def test_a_mail_that_is_sent_again_voids_the_code_before(settings: Settings) -> None:
    make_sku()
    leave_cart(make_customer())
    with_code()
    with mail_server() as server:
        server.answers = ["451 later"]
        use(settings, server)
        run()
        first = DiscountCode.objects.get()
        assert run(100) == 1
    first.refresh_from_db()
    assert first.revoked_at is not None
    assert DiscountGrant.objects.get().code_id == DiscountCode.objects.get(revoked_at=None).pk


def test_a_code_is_void_when_its_mail_failed_and_stands_when_it_went(settings: Settings) -> None:
    make_sku()
    leave_cart(make_customer())
    leave_cart(make_customer())
    with_code()
    with mail_server() as server:
        server.recipients = ["550 5.1.1 nobody"]
        use(settings, server)
        run()
    services.close_events(now=clock.now() + timedelta(days=8))
    assert services.void_grants(now=clock.now()) == 1
    assert services.void_grants(now=clock.now()) == 0
    assert DiscountCode.objects.filter(revoked_at=None).count() == 1


def test_reminders_go_out_as_fast_as_allowed_and_no_burst_follows_a_pause(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    stopped = f"timestamptz '{clock.now().isoformat()}'"
    monkeypatch.setattr(limiting, "_MAKE", limiting._MAKE.replace("clock_timestamp()", stopped))
    monkeypatch.setattr(limiting, "_TAKE", limiting._TAKE.replace("clock_timestamp()", stopped))
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, rate_per_second=1, dispatch_seconds=3)
    make_sku()
    make_campaign()
    leave_cart(make_customer())
    assert run() == 1
    for _ in range(5):
        leave_cart(make_customer())
    assert run() == 2, "one mail has taken one token"
    assert run() == 0
    RateBucket._default_manager.update(refilled_at=clock.now() - timedelta(hours=3))
    assert run() == 3
    RateBucket._default_manager.update(refilled_at=clock.now() - timedelta(hours=3))
    assert limiting.take(wanted=50) == 3
    assert limiting.take(wanted=50) == 0


def test_a_mail_server_to_which_it_is_too_much_is_sent_half_as_fast_for_a_while(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def at(seconds: float) -> None:
        """Stop the database's clock so long from now."""
        moment = f"timestamptz '{(begin + timedelta(seconds=seconds)).isoformat()}'"
        for name, sql in statements.items():
            monkeypatch.setattr(limiting, name, sql.replace("clock_timestamp()", moment))

    begin, statements = clock.now(), {name: getattr(limiting, name) for name in ("_MAKE", "_TAKE", "_SLOW_DOWN")}
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, rate_per_second=8, dispatch_seconds=1)
    make_sku()
    make_campaign()
    leave_cart(make_customer())
    at(0)
    with mail_server() as server:
        server.answers = ["421 4.7.0 too many"]
        use(settings, server)
        assert run() == 0
    assert the_message().state == "due"

    def per_second(seconds: float) -> int:
        at(seconds)
        limiting.take(wanted=50)
        at(seconds + 1)
        return limiting.take(wanted=50)

    assert per_second(1) == 4
    at(5)
    limiting.slow_down()
    assert per_second(5) == 4, "told by several workers at once it counts once"
    at(20)
    limiting.slow_down()
    assert per_second(20) == 2
    assert per_second(20 + limiting.RECOVERS_SECONDS) == 4
    assert per_second(20 + 2 * limiting.RECOVERS_SECONDS) == 8
    for number in range(20):
        at(5_000 + 20 * number)
        limiting.slow_down()
    assert RateBucket._default_manager.get(key="reminders").halvings == limiting.MOST_HALVINGS


@pytest.mark.parametrize(("reason", "state"), [("", "unknown"), ("render", "failed"), ("554 no", "failed")])
def test_a_campaign_whose_sends_go_wrong_pauses_itself(
    monkeypatch: pytest.MonkeyPatch, reason: str, state: str
) -> None:
    monkeypatch.setattr(breakers, "ENOUGH", 3)
    make_sku()
    for _ in range(3):
        leave_cart(make_customer())
    campaign = make_campaign()
    run()
    assert services.watch_campaigns(now=clock.now()) == ()
    leave_cart(make_customer())
    services.detect(now=clock.now())
    put_into(state, Message.objects.filter(state="due"), reason=reason)
    assert services.watch_campaigns(now=clock.now()) == ("cart",)
    campaign.refresh_from_db()
    assert campaign.state == "paused"
    assert "1 of the last 4" in campaign.pause_reason
    assert services.watch_campaigns(now=clock.now()) == ()


def test_a_campaign_whose_split_is_broken_pauses_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "ENOUGH", 3)
    make_sku()
    for _ in range(20):
        leave_cart(make_customer())
    make_campaign(holdout_bp=100)
    services.detect(now=clock.now())
    assert services.count_reports(now=clock.now()) == 1
    assert services.watch_campaigns(now=clock.now()) == ()
    Abandonment.objects.update(is_holdout=True)
    assert services.count_reports(now=clock.now() + timedelta(minutes=5)) == 1
    assert services.watch_campaigns(now=clock.now()) == ("cart",)
    assert Campaign.objects.get().pause_reason.startswith("split")
