"""Staff's pages of campaigns, suppressions and reminders."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from notifications import links, reporting, services
from notifications.errors import CampaignNotReadyError
from notifications.models import Abandonment, Campaign, Message, Step, Suppression, Variant
from notifications.services import sampling
from shop.catalog.models import Product
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.checkout.test_admin import staff
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run, the_message

pytestmark = pytest.mark.django_db
RUNS = ("run_campaign", "change_campaign", "add_campaign", "add_suppression", "resend_message")


def url(name: str, *args: object) -> str:
    """Name a page of a campaign."""
    return reverse(f"admin:notifications_campaign_{name}", args=args)


def draft(**fields: object) -> Campaign:
    """Make a draft with one variant and one step."""
    campaign = Campaign.objects.create(slug="draft", name="Draft", **fields)
    variant = Variant.objects.create(campaign=campaign, key="a", weight_bp=10_000)
    Step.objects.create(variant=variant, number=1)
    return campaign


def act(client: Client, campaign: Campaign, what: str, reason: str = "because") -> str:
    """Press a button of the report; give the state afterwards."""
    client.post(url("run", campaign.pk), {"act": what, "reason": reason})
    campaign.refresh_from_db()
    return campaign.state


def test_a_campaign_is_started_paused_resumed_and_ended_for_reasons_that_are_kept() -> None:
    campaign, client = draft(), staff(*RUNS)
    assert act(client, campaign, "start", reason=" ") == "draft"
    assert act(client, campaign, "pause") == "draft"
    assert act(client, campaign, "start", "approved") == "running"
    assert campaign.planned_n == 2_239
    assert act(client, campaign, "pause", "looks odd") == "paused"
    assert campaign.pause_reason == "looks odd"
    assert act(client, campaign, "resume") == "running"
    assert act(client, campaign, "end") == "ended"
    assert act(client, campaign, "resume") == "ended"
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
        "start: approved",
        "pause: looks odd",
        "resume: because",
        "end: because",
    ]


def test_who_may_only_look_starts_nothing() -> None:
    campaign, client = draft(), staff()
    assert client.get(url("report", campaign.pk)).status_code == 200
    assert client.post(url("run", campaign.pk), {"act": "start", "reason": "x"}).status_code == 403
    assert Client().get(url("report", campaign.pk)).status_code == 302


@pytest.mark.parametrize(
    ("problem", "spoil"),
    [
        ("no_variant", lambda: Variant.objects.all().delete()),
        ("weights", lambda: Variant.objects.update(weight_bp=9_999)),
        ("no_first_step", lambda: Step.objects.update(number=2)),
        ("too_many_steps", lambda: Step.objects.create(variant=Variant.objects.get(), number=2)),
        ("sample", lambda: Campaign.objects.update(base_bp=9_000, mde_pct=50)),
    ],
)
def test_what_is_not_complete_does_not_start(problem: str, spoil: object) -> None:
    campaign = draft()
    assert callable(spoil)
    spoil()
    with pytest.raises(CampaignNotReadyError) as caught:
        services.start_campaign(campaign_id=campaign.pk, now=clock.now())
    assert caught.value.problem == problem
    campaign.refresh_from_db()
    assert (campaign.state, campaign.activated_at) == ("draft", None)


def test_a_draft_can_be_edited_and_a_running_campaign_cannot() -> None:
    client = staff(*RUNS)
    change = url("change", draft().pk)
    assert 'name="idle_threshold"' in client.get(change).content.decode()
    Campaign.objects.update(state="running", activated_at=clock.now(), planned_n=1)
    page = client.get(change)
    assert page.status_code == 200
    assert 'name="idle_threshold"' not in page.content.decode()


def test_explain_says_what_the_real_run_does_and_previews_without_writing_anything() -> None:
    make_sku()
    Product.objects.update(title="<script>alert(1)</script>")
    user = make_customer("ada@example.com")
    leave_cart(user)
    campaign, client = make_campaign(), staff(*RUNS)
    page = client.get(url("explain", campaign.pk), {"customer": "ada@example.com"}).content.decode()
    assert "Would get a mail now" in page
    step = Step.objects.get()
    shown = client.get(url("preview", campaign.pk, step.pk), {"customer": user.pk})
    assert "<script>" not in shown.content.decode()
    assert "sandbox" in shown["Content-Security-Policy"]
    assert "/c/r/" not in shown.content.decode()
    text = client.get(url("preview", campaign.pk, step.pk), {"customer": str(user.pk), "as": "text"})
    assert text["Content-Type"].startswith("text/plain")
    assert Message.objects.count() == Abandonment.objects.count() == 0
    assert run() == 1

    services.set_preference(user_id=user.pk, email=user.email, is_granted=False, source="test", now=clock.now())
    page = client.get(url("explain", campaign.pk), {"customer": str(user.pk)}).content.decode()
    assert "Would get no mail now: opted_out" in page
    assert "no such customer" in client.get(url("explain", campaign.pk), {"customer": "x@y.example"}).content.decode()


def test_a_test_goes_to_who_asks_and_moves_no_counter() -> None:
    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    campaign, client = make_campaign(), staff(*RUNS)
    client.post(url("test", campaign.pk), {"step": Step.objects.get().pk, "customer": user.pk})
    (sent,) = mail.outbox
    assert sent.to == ["staff@shop.example"]
    assert sent.subject.startswith("[TEST] ")
    assert "List-Unsubscribe" not in sent.extra_headers
    assert Message.objects.count() == Abandonment.objects.count() == 0


def test_the_report_compares_the_arms_and_costs_the_same_for_many_rows() -> None:
    call_command("load_demo")
    call_command("load_demo_reminders")
    campaign, client = Campaign.objects.get(), staff(*RUNS)
    found = reporting.report(campaign=campaign, now=clock.now())
    holdout, mailed, a, b = found.arms
    assert holdout.is_holdout
    assert holdout.ripe + mailed.ripe == 6_000
    assert [look.number for look in found.looks] == [1]
    assert a.ordered + b.ordered == mailed.ordered
    assert mailed.against_control is not None
    assert found.finding == "too_early"
    assert found.split_p > 0.001
    services.count_reports(now=clock.now())
    client.get(url("report", campaign.pk))
    with CaptureQueriesContext(connection) as queries:
        page = client.get(url("report", campaign.pk)).content.decode()
    assert len(queries) <= 12
    assert not any("notifications_abandonment" in query["sql"] for query in queries), "events are counted by a job"
    assert 'role="img"' in page
    assert "Too early" in page
    assert f"{mailed.ordered}</a></td>" in page


def test_a_broken_split_hides_the_results() -> None:
    campaign, client = draft(), staff(*RUNS)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=30))
    variant = Variant.objects.get()
    Abandonment.objects.bulk_create(
        Abandonment(
            cart_record_id=-number,
            content_version=1,
            campaign=campaign,
            variant=variant,
            is_holdout=number % 3 == 0,
            state="expired",
            closed_at=clock.now(),
            abandoned_at=clock.now(),
            enrolled_at=clock.now() - timedelta(days=20),
            currency="GBP",
            value_minor=1,
        )
        for number in range(1, 400)
    )
    page = client.get(url("report", campaign.pk)).content.decode()
    assert "The split is broken" in page
    for hidden in ("Against the hold-out", "Share of customers", "Difference", "Is the best", "Ordered", "last click"):
        assert hidden not in page, hidden
    sheet = client.get(url("report", campaign.pk), {"as": "csv"}).content.decode()
    assert sheet.splitlines()[0] == "day,found,hold-out found"


def test_orders_are_written_to_every_arm_alike_once_and_only_within_the_window() -> None:
    from cart.types import CartRef  # noqa: PLC0415
    from tests.checkout.helpers import fill, pay, start  # noqa: PLC0415 - only here

    make_sku()
    user = make_customer("ada@example.com")
    leave_cart(user)
    make_campaign()
    run()
    Abandonment.objects.update(is_holdout=True)
    ref = CartRef("u", str(user.pk))
    pay(fill(start(ref), ref), ref)
    assert services.attribute_orders(now=clock.now()) == 1
    assert services.attribute_orders(now=clock.now()) == 0
    event = Abandonment.objects.get()
    assert (event.state, event.order_minor) == ("converted", 2_400)

    Abandonment.objects.update(ordered_at=None, order_number="", enrolled_at=clock.now() - timedelta(days=7, seconds=5))
    assert services.attribute_orders(now=clock.now()) == 0


def test_events_end_when_their_window_is_over() -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    run()
    assert services.close_events(now=clock.now() + timedelta(days=7)) == 0
    assert services.close_events(now=clock.now() + timedelta(days=7, minutes=11)) == 1
    assert Abandonment.objects.get().close_reason == "window_over"


def test_an_address_is_suppressed_from_a_message_or_by_hand_and_found_by_itself() -> None:
    make_sku()
    leave_cart(make_customer("ada@example.com"))
    make_campaign()
    run()
    client = staff(*RUNS, "view_suppression")
    message = the_message()
    client.post(
        reverse("admin:notifications_message_changelist"), {"action": "suppress", "_selected_action": [message.pk]}
    )
    assert Suppression.objects.get().email_hash == links.address_hashes("ada@example.com")[0]
    add, rows = (reverse(f"admin:notifications_suppression_{page}") for page in ("add", "changelist"))
    assert (
        "suppressed already"
        in client.post(add, {"email": "Ada@example.com", "scope": "cart_reminder"}).content.decode()
    )
    assert client.post(add, {"email": "mary@example.com", "scope": "all"}).status_code == 302
    assert Suppression.objects.count() == 2
    found = client.get(rows, {"q": "MARY@example.com"}).content.decode()
    assert links.address_hashes("mary@example.com")[0][:10] in found
    assert links.address_hashes("ada@example.com")[0][:10] not in found


def test_lists_of_reminders_open() -> None:
    make_sku()
    leave_cart(make_customer())
    make_campaign()
    run()
    client = staff(*RUNS)
    for name in ("message", "abandonment", "campaign", "suppression", "preference", "variant"):
        assert client.get(reverse(f"admin:notifications_{name}_changelist")).status_code == 200, name
    assert client.get(reverse("admin:notifications_message_change", args=[the_message().pk])).status_code == 200
    event = Abandonment.objects.get()
    assert client.get(reverse("admin:notifications_abandonment_change", args=[event.pk])).status_code == 200
    assert client.get(reverse("admin:notifications_variant_change", args=[event.variant_id])).status_code == 200


@pytest.mark.parametrize("language", ["en-gb", "de"])
def test_samples_show_each_mail_for_made_up_carts_and_write_nothing(settings: Settings, language: str) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
    make_sku()
    campaign, client = draft(), staff()
    page = client.get(url("samples", campaign.pk), {"sample": "kwd", "language": language})
    assert page.content.decode().count("<iframe sandbox") == 3
    preview = url("preview", campaign.pk, Step.objects.get().pk)
    for name in sampling.SAMPLES:
        shown = client.get(preview, {"sample": name, "language": language})
        assert shown.status_code == 200, name
        assert shown["X-Frame-Options"] == "SAMEORIGIN"
        assert "sandbox" in shown["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in shown["Content-Security-Policy"]
        assert len(shown.content) < 90_000
        assert "/c/r/" not in shown.content.decode()
    text = client.get(preview, {"sample": "kwd", "language": language, "as": "text"}).content.decode()
    assert {"en-gb": "KWD12.345", "de": "12,345\xa0KWD"}[language] in text
    text = client.get(preview, {"sample": "jpy", "language": language, "as": "text"}).content.decode()
    assert {"en-gb": "JP¥1,980", "de": "1.980\xa0¥"}[language] in text
    text = client.get(preview, {"sample": "many", "language": language, "as": "text"}).content.decode()
    assert {"en-gb": "15 more", "de": "15 weitere"}[language] in text
    assert client.get(preview, {"sample": "none"}).status_code == 404
    assert Message.objects.count() == Abandonment.objects.count() == 0


def test_a_sample_looks_as_in_the_dark_when_asked_to() -> None:
    make_sku()
    campaign, client = draft(), staff()
    preview = url("preview", campaign.pk, Step.objects.get().pk)
    shown = {
        scheme: client.get(preview, {"sample": "one", "scheme": scheme}).content.decode()
        for scheme in ("", "light", "dark")
    }
    assert "@media (prefers-color-scheme" in shown[""]
    assert "@media not all" in shown["light"]
    assert "@media all" in shown["dark"]
    assert "prefers-color-scheme" not in shown["dark"].replace("color-scheme:", "")
