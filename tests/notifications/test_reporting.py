"""What a report is counted from, how it is kept, and what it says of chance, money and time."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from datetime import timedelta
from html import unescape
from statistics import NormalDist
from typing import Any

import pgtrigger
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from cart import selectors as carts
from cart import services as cart
from cart.types import CartRef
from notifications import charts, reporting, services, watching
from notifications.admin import figures
from notifications.models import Abandonment, Campaign, Message, Step, StoredReport, Variant
from notifications.rules import capacity
from notifications.rules.beliefs import beliefs
from notifications.services import planning, running
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.checkout.test_admin import staff
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run
from tests.notifications.test_campaign_admin import RUNS, act, draft, url

NORMAL = NormalDist()


def _campaign(*keys: str, planned: int = 400, **fields: Any) -> Campaign:
    campaign = Campaign.objects.create(slug="report", name="Report", holdout_bp=5_000, **fields)
    for key in keys or ("a",):
        variant = Variant.objects.create(campaign=campaign, key=key, weight_bp=10_000 // len(keys or ("a",)))
        Step.objects.create(variant=variant, number=1)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=60))
    Campaign.objects.filter(pk=campaign.pk).update(planned_n=planned)
    campaign.refresh_from_db()
    return campaign


def _customers(campaign: Campaign, n: int, *, ordered: int, is_holdout: bool, **fields: Any) -> None:
    """Let customers have been found twenty days ago; the first of them ordered five hours later, for £10."""
    begin, start = clock.now() - timedelta(days=20), Abandonment.objects.count()
    paid: int = fields.pop("order_minor", 1_000)
    fields = {"variant": Variant.objects.order_by("pk")[0], "value_minor": 1_000, "currency": "GBP"} | fields
    Abandonment.objects.bulk_create(
        Abandonment(
            cart_record_id=-start - place - 1,
            content_version=1,
            campaign=campaign,
            is_holdout=is_holdout,
            state="expired",
            closed_at=clock.now(),
            abandoned_at=begin,
            enrolled_at=begin + timedelta(minutes=place),
            ordered_at=begin + timedelta(minutes=place, hours=5) if place < ordered else None,
            order_minor=paid if place < ordered else 0,
            **{"code_minor": 0, **fields} if place < ordered else {**fields, "code_minor": 0},
        )
        for place in range(n)
    )


def _drawn(campaign: Campaign, *, has_margin: bool = False) -> tuple[reporting.Report, tuple[reporting.Drawn, ...]]:
    counted = reporting.count(campaign=campaign, now=clock.now())
    report = reporting.weigh(campaign, counted)
    return report, reporting.draw(campaign, counted, report, has_margin=has_margin)


# ---------------------------------------------------------------- how likely each arm is the best


def test_how_likely_an_arm_is_the_best_is_what_theory_gives() -> None:
    control, mailed = (80, 1_000), (890, 9_000)  # the design's own example: 97 %
    held, sent = beliefs([control, mailed], seed=1)
    means = [(1 + hits) / (2 + n) for hits, n in (control, mailed)]
    spread = math.sqrt(sum(m * (1 - m) / (3 + n) for m, (_, n) in zip(means, (control, mailed), strict=True)))
    z = (means[1] - means[0]) / spread
    assert sent.is_best == pytest.approx(NORMAL.cdf(z), abs=0.01)
    assert sent.is_best == pytest.approx(0.97, abs=0.015)
    assert held.is_best + sent.is_best == pytest.approx(1)
    # E[max(0, d)] of a normal difference
    assert held.loss == pytest.approx(spread * NORMAL.pdf(z) + (means[1] - means[0]) * NORMAL.cdf(z), rel=0.03)
    # Of few draws: within half of a hundredth of a point.
    assert sent.loss == pytest.approx(spread * NORMAL.pdf(z) - (means[1] - means[0]) * NORMAL.cdf(-z), abs=5e-5)
    assert beliefs([control, mailed], seed=1) == (held, sent)
    assert [one.is_best for one in beliefs([(0, 0), (0, 0)], seed=1)] == pytest.approx([0.5, 0.5], abs=0.02)
    assert beliefs([], seed=1) == ()


@pytest.mark.django_db
def test_the_second_view_compares_each_variant_and_the_hold_out_but_not_their_sum() -> None:
    campaign = _campaign("a", "b")
    a, b = Variant.objects.order_by("pk")
    for variant in (a, b):
        _customers(campaign, 150, ordered=15, is_holdout=True, variant=variant)
    _customers(campaign, 150, ordered=15, is_holdout=False, variant=a)
    _customers(campaign, 150, ordered=45, is_holdout=False, variant=b)
    report, drawn = _drawn(campaign)
    by_name = {arm.name: one.belief for arm, one in zip(report.arms, drawn, strict=True)}
    assert by_name["mailed"] is None
    assert sum(one.is_best for one in by_name.values() if one) == pytest.approx(1)
    assert by_name["b"]
    assert by_name["b"].is_best > 0.99
    page = staff().get(url("report", campaign.pk)).content.decode()
    assert "Is the best" in page


@pytest.mark.django_db
def test_mails_are_compared_with_ghosts_where_all_go_at_one_time_and_only_there() -> None:
    campaign = _campaign("a", "b")
    a, b = Variant.objects.order_by("pk")
    states = {"ghost": True, "sent": False, "failed": False, "cancelled": False}
    for variant in (a, b):
        for state, is_holdout in states.items():
            _customers(campaign, 50, ordered=10, is_holdout=is_holdout, variant=variant)
            events = Abandonment.objects.order_by("-pk")[:50]
            at = clock.now() - timedelta(days=20)
            Message.objects.bulk_create(
                Message(
                    kind="recovery",
                    template_key="cart_reminder",
                    abandonment=event,
                    step=variant.steps.get(),
                    step_no=1,
                    public_id=f"{event.pk}",
                    state=state,
                    due_at=at,
                    late_after=at,
                    created_at=at,
                    handed_at=at if state == "sent" else None,
                    sent_at=at if state == "sent" else None,
                )
                for event in events
            )
    Abandonment.objects.filter(messages__state="cancelled").update(ordered_at=None)
    report = reporting.report(campaign=campaign, now=clock.now())
    assert [(one.name, one.n, one.ordered) for one in report.passed] == [
        ("hold-out", 100, 20),
        ("mailed", 200, 40),
        ("a", 100, 20),
        ("b", 100, 20),
    ]
    assert report.passed[1].against_ghosts
    assert report.passed[1].against_ghosts.difference.value == 0
    assert report.mailed.against_control
    assert report.mailed.against_control.difference.value < 0, "those who were cancelled count there"
    client = staff()
    Campaign.objects.update(holdout_bp=2_500)  # as these were thrown together
    assert "Against the ghosts" in client.get(url("report", campaign.pk)).content.decode()
    with pgtrigger.ignore("notifications.Step:step_frozen"):
        b.steps.update(delay=timedelta(days=1))
    assert "Against the ghosts" not in client.get(url("report", campaign.pk)).content.decode()


# ---------------------------------------------------------------- money


@pytest.mark.django_db
def test_money_of_other_currencies_counts_at_the_shops_rates(settings: Settings) -> None:
    campaign = _campaign()
    _customers(campaign, 400, ordered=0, is_holdout=True)
    _customers(campaign, 200, ordered=200, is_holdout=False, currency="GBP", order_minor=1_000)
    _customers(campaign, 200, ordered=200, is_holdout=False, currency="JPY", order_minor=2_000)
    _customers(campaign, 7, ordered=7, is_holdout=False, currency="CHF", order_minor=5_000)
    report, drawn = _drawn(campaign)
    assert (report.currency, report.left_out) == ("JPY", 607), "without rates only the currency with most"
    settings.NOTIFICATIONS = dataclasses.replace(
        settings.NOTIFICATIONS, report_currency="GBP", report_rates="JPY:0.005, EUR:0.86"
    )
    report, drawn = _drawn(campaign)
    assert (report.currency, report.left_out) == ("GBP", 7)
    assert drawn[1].earned_more is not None
    assert drawn[1].earned_more.value == pytest.approx(1_000), "2,000 yen are 10 pounds: 1,000 pence"
    page = staff().get(url("report", campaign.pk)).content.decode()
    assert "7 customers whose carts were in other currencies are left out" in page


@pytest.mark.django_db
def test_margin_is_told_less_what_codes_took_off_and_only_where_the_shop_names_it(settings: Settings) -> None:
    campaign, client = _campaign(), staff()
    _customers(campaign, 400, ordered=40, is_holdout=True)
    _customers(campaign, 400, ordered=80, is_holdout=False, code_minor=200)
    page = client.get(url("report", campaign.pk)).content.decode()
    assert "NOTIFICATIONS_MARGIN_BP" in page
    assert "Margin more than without (95 %)" not in page
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, margin_bp=4_000)
    report, drawn = _drawn(campaign, has_margin=True)
    assert report.mailed.code_costs[0].minor == 80 * 200
    margin = drawn[1].margin
    assert margin is not None
    # An order of 10.00 after 2.00 off cost 60 % of 12.00: it leaves 2.80; one of the hold-out leaves 4.00.
    assert margin.value == pytest.approx(80 * 280 - 40 * 400)
    assert margin.low < margin.value < margin.high
    assert "Margin more than without (95 %)" in client.get(url("report", campaign.pk)).content.decode()


@pytest.mark.django_db
def test_an_order_that_was_given_back_brings_neither_money_nor_margin(settings: Settings) -> None:
    settings.NOTIFICATIONS = dataclasses.replace(settings.NOTIFICATIONS, margin_bp=4_000)
    campaign = _campaign()
    _customers(campaign, 200, ordered=0, is_holdout=True)
    _customers(campaign, 200, ordered=20, is_holdout=False, code_minor=200, refunded_minor=0)
    Abandonment.objects.filter(ordered_at__isnull=False).update(refunded_minor=1_000)
    report, drawn = _drawn(campaign, has_margin=True)
    assert (report.mailed.revenues[0].minor, report.mailed.refunded[0].minor) == (0, 20_000)
    assert report.mailed.code_costs == ()
    assert drawn[1].margin
    assert drawn[1].margin.value == 0


@pytest.mark.django_db
def test_what_a_code_took_off_is_written_to_the_event_of_its_order() -> None:
    from tests.notifications.test_attributing import follow, order  # noqa: PLC0415 - only here
    from tests.notifications.test_codes import code_of_mail  # noqa: PLC0415

    make_sku()
    user = make_customer("ada@example.com")
    campaign = Campaign.objects.create(slug="code", name="Code", holdout_bp=0, quiet_start="08:00", quiet_end="08:00")
    Step.objects.create(variant=Variant.objects.create(campaign=campaign, key="a"), number=1, code_percent=10)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=1))
    leave_cart(user)
    assert run() == 1
    ref = CartRef("u", str(user.pk))
    before = carts.get_cart(ref=ref)
    cart.apply_code(ref=ref, code=code_of_mail(), now=clock.now())
    order(user)
    follow()
    event = Abandonment.objects.get()
    assert event.code_minor == sum(line.quantity for line in before.lines) * 1_200 // 10
    assert event.order_minor > 0


# ---------------------------------------------------------------- time


@pytest.mark.django_db
def test_the_days_add_up_and_the_last_one_is_the_whole() -> None:
    campaign = _campaign()
    _customers(campaign, 3_000, ordered=300, is_holdout=True)
    _customers(campaign, 3_000, ordered=600, is_holdout=False)
    report = reporting.report(campaign=campaign, now=clock.now())
    assert len(report.days) in (3, 4), "3,000 minutes, from whichever hour on"
    assert [day.held for day in report.days] == sorted(day.held for day in report.days)
    last = report.days[-1]
    assert (last.found, last.held) == (6_000, 3_000)
    assert (last.control, last.mailed) == ((300, 3_000), (600, 3_000))
    assert report.mailed.against_control
    assert charts.difference_of(last) == report.mailed.against_control.difference
    assert report.delays[-1] == (300, 600)
    assert report.delays[0] == (300, 600), "all came within the first six hours"

    rows = list(csv.reader(io.StringIO(staff().get(url("report", campaign.pk), {"as": "csv"}).content.decode())))
    assert rows[-1][1:] == ["6000", "3000", "3000", "300", "3000", "600"]


@pytest.mark.django_db
def test_bands_of_value_hold_everybody_once() -> None:
    campaign = _campaign()
    for place, value in enumerate((1_000, 2_000, 3_000, 4_000)):
        _customers(campaign, 100, ordered=10, is_holdout=True, value_minor=value)
        _customers(campaign, 100, ordered=10 + 20 * place, is_holdout=False, value_minor=value)
    report = reporting.report(campaign=campaign, now=clock.now())
    assert sum(band.control[1] + band.mailed[1] for band in report.bands) == 800
    assert [band.least.minor for band in report.bands if band.least] == [1_000, 2_000, 3_000]
    assert report.bands[-1].mailed == (50 + 70, 200)
    page = staff().get(url("report", campaign.pk)).content.decode()
    assert "Exploratory" in page


def _day(number: int, held: int, control: tuple[int, int], mailed: tuple[int, int]) -> reporting.Day:
    day = clock.now().date() - timedelta(days=100 - number)
    return reporting.Day(day, held, held * 10, control, mailed)


def test_the_chart_of_the_difference_keeps_within_its_frame_and_marks_the_looks() -> None:
    days = [
        _day(n, 10 * n + 10, (max(0, n - 5), max(0, 10 * (n - 5))), (max(0, 12 * (n - 5)), max(0, 90 * (n - 5))))
        for n in range(101)
    ]
    found = charts.difference(days, (100, 500, 5_000))
    assert found is not None
    assert [name for _, name in found.uprights] == ["1", "2"], "the third was not reached"
    drawn = [day for day in charts.thinned(days) if day.control[1]]
    first = next(place for place, day in enumerate(drawn) if day.control[1] >= 100)
    assert found.lines[0].points.split()[first].startswith(f"{found.uprights[0][0]},"), "whose time is over count"
    points = [tuple(map(float, point.split(","))) for point in (found.lines[0].points + " " + found.band).split()]
    assert all(0 <= y <= 180 for _, y in points)
    assert len(found.lines[0].points.split()) <= 60
    assert charts.thinned(days)[-1] is days[-1]
    assert charts.difference([_day(1, 5, (0, 0), (0, 0))], ()) is None


def test_enrolments_stand_against_the_plan() -> None:
    days = [_day(n, 10 * n, (0, 0), (0, 0)) for n in range(101)]
    found = charts.enrolment(days, (500, 1_000, 1_500, 2_000))
    assert found is not None
    assert [name for _, name in found.plans] == ["1", "2", "3", "4"]
    heights = [y for y, _ in found.plans]
    assert heights == sorted(heights, reverse=True)
    assert found.lines[0].end[1] == heights[1], "1,000 of them are the second look"
    assert charts.enrolment([], (1,)) is None


@pytest.mark.parametrize(("planned", "said"), [(1_000, 0.0), (1_140, 2.0), (0, None)])
@pytest.mark.django_db
def test_how_long_it_still_takes_goes_by_the_last_two_weeks(planned: int, said: float | None) -> None:
    days = tuple(_day(n, 10 * n, (0, 0), (0, 0)) for n in range(101))
    empty = reporting.report(campaign=_campaign(), now=clock.now())
    report = dataclasses.replace(empty, planned_n=planned, days=days)
    assert figures.weeks_left(report, clock.now().date()) == said


@pytest.mark.django_db
def test_mails_are_told_by_the_hour_they_were_sent() -> None:
    make_sku()
    leave_cart(make_customer())
    campaign = make_campaign()
    assert run() == 1
    message = Message.objects.get()
    assert message.sent_at is not None
    (hour,) = reporting.report(campaign=campaign, now=clock.now()).hours
    at = timezone.localtime(message.sent_at)
    assert (hour.weekday, hour.hour, hour.sent, hour.ripe) == (at.isoweekday(), at.hour, 1, 0)
    week = charts.week([hour])
    assert week is not None
    assert [cell.shade for cell in week.cells] == [1]
    assert charts.week([]) is None


# ---------------------------------------------------------------- kept


@pytest.mark.django_db
def test_the_page_shows_what_was_counted_last_until_somebody_counts_again() -> None:
    campaign, client = _campaign(), staff(*RUNS)
    _customers(campaign, 20, ordered=5, is_holdout=True)
    assert services.count_reports(now=clock.now() - timedelta(hours=1)) == 1
    _customers(campaign, 20, ordered=19, is_holdout=False)
    page = url("report", campaign.pk)
    assert reporting.kept(Campaign.objects.get())
    assert client.get(page).context["report"].mailed.enrolled == 0
    client.get(url("count", campaign.pk))
    assert client.get(page).context["report"].mailed.enrolled == 0, "a GET counts nothing"
    client.post(url("count", campaign.pk))
    assert client.get(page).context["report"].mailed.enrolled == 20
    assert Client().post(url("count", campaign.pk)).status_code == 302
    (shown,) = watching.list_campaigns(now=clock.now())
    assert shown.mailed.ordered == 19
    listed = client.get(url("changelist")).content.decode()
    assert '<td class="field-found">40</td>' in listed


@pytest.mark.django_db
def test_numbers_lead_to_their_rows() -> None:
    campaign, client = _campaign("a", "b"), staff(*RUNS)
    for variant in Variant.objects.all():
        _customers(campaign, 6, ordered=2, is_holdout=True, variant=variant)
        _customers(campaign, 6, ordered=3, is_holdout=False, variant=variant)
    page = client.get(url("report", campaign.pk)).content.decode()
    links = re.findall(r'<a href="([^"]*abandonment/[^"]*is_holdout[^"]*)">(\d+)</a>', page)
    assert [number for _, number in links] == ["12", "4", "12", "6", "6", "3", "6", "3"]
    for link, number in links:
        answer = client.get(unescape(link))
        assert answer.context["cl"].result_count == int(number), link


@pytest.mark.django_db
def test_what_is_kept_reads_back_the_same_and_what_another_version_kept_is_none() -> None:
    campaign = _campaign()
    _customers(campaign, 30, ordered=3, is_holdout=True)
    _customers(campaign, 30, ordered=6, is_holdout=False)
    now = clock.now()
    services.count_report(campaign=campaign, now=now)
    kept = reporting.kept(Campaign.objects.get())
    assert kept is not None
    assert reporting.weigh(campaign, kept.counted) == reporting.report(campaign=campaign, now=now)
    StoredReport.objects.update(content={**StoredReport.objects.get().content, "version": 0})
    assert reporting.kept(Campaign.objects.get()) is None
    assert staff().get(url("report", campaign.pk)).context["report"].mailed.ordered == 6, "counted for the page"


@pytest.mark.django_db
def test_a_count_that_began_earlier_does_not_replace_a_later_one() -> None:
    campaign, now = _campaign(), clock.now()
    counted = reporting.count(campaign=campaign, now=now)
    assert reporting.keep(campaign_id=campaign.pk, counted=counted, counted_at=now, seconds=1)
    late = now - timedelta(seconds=1)
    assert not reporting.keep(campaign_id=campaign.pk, counted=counted, counted_at=late, seconds=1)
    assert StoredReport.objects.get().counted_at == now


@pytest.mark.django_db
def test_what_is_dear_to_count_is_counted_less_often_and_what_ended_long_ago_not_at_all() -> None:
    campaign, now = _campaign(), clock.now()
    assert services.count_reports(now=now) == 1
    StoredReport.objects.update(seconds=30)
    assert services.count_reports(now=now + timedelta(minutes=9)) == 0
    assert services.count_reports(now=now + timedelta(minutes=10)) == 1
    services.end_campaign(campaign_id=campaign.pk, now=now)
    StoredReport.objects.update(seconds=0)
    assert services.count_reports(now=now + timedelta(days=59)) == 1
    assert services.count_reports(now=now + timedelta(days=61)) == 0
    assert draft().state == "draft"
    assert services.count_reports(now=now + timedelta(days=59, hours=1)) == 1, "a draft has nothing to count"


@pytest.mark.django_db
def test_counting_costs_the_same_queries_for_many_events() -> None:
    campaign = _campaign()

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            reporting.count(campaign=campaign, now=clock.now())
        return len(seen)

    few = queries()
    _customers(campaign, 2_000, ordered=100, is_holdout=True)
    assert queries() == few


# ---------------------------------------------------------------- how long, how fast


@pytest.mark.parametrize(
    ("hours", "rate", "cap", "fits"),
    [(6, 14, 0, 302_400), (6, 14, 1_000, 1_000), (30, 1, 1_000, 2_000), (1, 0.5, 0, 1_800)],
)
def test_what_goes_before_it_is_too_late(hours: int, rate: float, cap: int, fits: int) -> None:
    assert capacity.fit_within(timedelta(hours=hours), per_second=rate, daily_cap=cap) == fits
    assert capacity.takes(1_000_000, per_second=14) > timedelta(hours=19.8)


@pytest.mark.django_db
def test_the_page_says_how_many_wait_and_warns_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    campaign = make_campaign()
    for _ in range(3):
        leave_cart(make_customer())
    services.detect(now=clock.now())
    client = staff()
    page = client.get(url("report", campaign.pk)).content.decode()
    assert "Waiting now: 3." in page
    assert "errornote" not in page
    monkeypatch.setattr(capacity, "fit_within", lambda _late, **_: 2)
    assert "errornote" in client.get(url("report", campaign.pk)).content.decode()


@pytest.mark.django_db
def test_a_test_that_would_take_half_a_year_starts_only_with_the_box_ticked() -> None:
    make_sku()
    for _ in range(4):
        leave_cart(make_customer())
    campaign, client = draft(), staff(*RUNS)
    assert planning.count_weekly(now=clock.now()) == 1
    going = _campaign()
    _customers(going, 8, ordered=0, is_holdout=True)
    services.count_reports(now=clock.now())
    assert planning.count_weekly(now=clock.now()) == 2, "what a campaign found is more"
    services.end_campaign(campaign_id=going.pk, now=clock.now())
    StoredReport.objects.all().delete()
    assert running.weeks_of(campaign, now=clock.now()) == pytest.approx(22_390, rel=0.01), "one in ten of one a week"
    page = client.get(url("report", campaign.pk)).content.decode()
    assert "Even though it takes more than 26 weeks" in page
    answer = client.post(url("run", campaign.pk), {"act": "start", "reason": "because"}, follow=True)
    assert "more than 26 weeks" in answer.content.decode()
    campaign.refresh_from_db()
    assert campaign.state == "draft"
    client.post(url("run", campaign.pk), {"act": "start", "reason": "because", "even_if_long": "on"})
    campaign.refresh_from_db()
    assert campaign.state == "running"


@pytest.mark.django_db
def test_without_known_traffic_a_test_starts_and_its_page_says_that_it_is_not_known() -> None:
    campaign, client = draft(), staff(*RUNS)
    page = client.get(url("report", campaign.pk)).content.decode()
    assert "there was no traffic" in page
    Campaign.objects.update(base_bp=9_000, mde_pct=50)
    assert "the share would rise above 100 %" in client.get(url("report", campaign.pk)).content.decode()
    Campaign.objects.update(base_bp=1_000, mde_pct=20)
    assert act(client, campaign, "start") == "running"
