"""When a test may be read, and what ends it: looks with bounds, guard rails, and what customers spent."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import timedelta
from statistics import NormalDist, mean, stdev

import pytest
from django.test import Client

from notifications import charts, reporting, services
from notifications.models import Abandonment, Campaign, Step, Variant
from notifications.reporting.counting import SETTLES
from notifications.rules import bootstrap, breakers, looks
from notifications.rules.looks import Finding, Look
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.checkout.test_admin import staff
from tests.notifications.carts import leave_cart, link, make_campaign, make_customer, run
from tests.notifications.test_campaign_admin import url

NORMAL = NormalDist()


def crossing(bounds: Sequence[float], drift: float, points: int = 161) -> tuple[float, float]:
    """Integrate how likely a test with equal looks ends above and below its bounds (Armitage and others, 1969)."""
    step_mean, above, below = drift / math.sqrt(len(bounds)), 0.0, 0.0
    before, weights = [0.0], [1.0]
    for number, edge in enumerate(bounds, start=1):
        most = edge * math.sqrt(number)
        above += sum(w * (1 - NORMAL.cdf(most - step_mean - x)) for w, x in zip(weights, before, strict=True))
        below += sum(w * NORMAL.cdf(-most - step_mean - x) for w, x in zip(weights, before, strict=True))
        gap = 2 * most / (points - 1)
        after = [gap * place - most for place in range(points)]
        density = [sum(w * NORMAL.pdf(y - x - step_mean) for w, x in zip(weights, before, strict=True)) for y in after]
        weights = [d * (gap / 2 if place in (0, points - 1) else gap) for place, d in enumerate(density)]
        before = after
    return above, below


def look(number: int, mailed: float, held: float = 0.10, *, n: int = 9_000, control_n: int = 1_000) -> Look:
    """Make a look at two shares."""
    return Look(number=number, hits=round(mailed * n), n=n, control_hits=round(held * control_n), control_n=control_n)


def test_the_bounds_are_the_published_ones_and_keep_both_errors() -> None:
    bounds = [looks.bound(number) for number in range(1, looks.LOOKS + 1)]
    assert [round(edge, 3) for edge in bounds] == [4.048, 2.862, 2.337, 2.024]
    assert sum(crossing(bounds, 0)) == pytest.approx(0.05, abs=2e-4)
    once = NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8)
    assert crossing(bounds, once * math.sqrt(looks.INFLATION))[0] == pytest.approx(0.8, abs=1e-3)


def test_looking_four_times_at_the_usual_bound_would_be_wrong_more_than_twice_as_often() -> None:
    assert sum(crossing([1.96] * 4, 0)) == pytest.approx(0.126, abs=1e-3)  # Armitage, McPherson and Rowe 1969, table 2


def test_a_test_ends_at_the_first_look_beyond_its_bound_and_what_follows_changes_nothing() -> None:
    def said(*taken: Look, split: float = 0.5, is_harmful: bool = False) -> tuple[Finding, int | None]:
        finding, at = looks.judge(split=split, taken=taken, is_harmful=is_harmful)
        return finding, at.number if at else None

    even, better, worse = 0.10, 0.16, 0.04
    assert said() == (Finding.TOO_EARLY, None)
    assert said(look(1, 0.13)) == (Finding.TOO_EARLY, None)  # z = 2.7: p < 0.01, and not enough for a first look
    assert said(look(1, even), look(2, better)) == (Finding.HELPS, 2)
    assert said(look(1, even), look(2, better), look(3, even), look(4, worse)) == (Finding.HELPS, 2)
    assert said(look(1, worse)) == (Finding.HARMS, 1)
    assert said(look(1, better), is_harmful=True) == (Finding.GUARD_RAIL, 1)
    assert said(*(look(number, even) for number in (1, 2, 3, 4))) == (Finding.NO_DIFFERENCE, 4)
    assert said(look(1, better), split=0.0009) == (Finding.SPLIT_IS_WRONG, None)
    assert look(1, 0, held=0).z == 0


def test_four_looks_share_the_planned_hold_out() -> None:
    assert looks.sizes(2_239) == (560, 1_120, 1_680, 2_239)
    assert looks.sizes(0) == ()


def test_what_customers_spent_more_has_the_interval_that_theory_gives() -> None:
    chance = random.Random(7)

    def spend(n: int, share: float) -> list[int]:
        return [chance.randrange(1_000, 9_000) if chance.random() < share else 0 for _ in range(n)]

    def grouped(values: Sequence[int]) -> list[bootstrap.Group]:
        return [(sum(values[place::200]), len(values[place::200])) for place in range(200)]

    mailed, held = spend(40_000, 0.12), spend(5_000, 0.10)
    (found,) = bootstrap.mean_differences(grouped(mailed), grouped(held), seed=1)
    assert found.value == pytest.approx(mean(mailed) - mean(held))
    half = 1.96 * math.hypot(stdev(mailed) / math.sqrt(len(mailed)), stdev(held) / math.sqrt(len(held)))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.12)
    assert found.low < found.value < found.high
    assert bootstrap.mean_differences(grouped(mailed), grouped(held), seed=1) == (found,)
    assert bootstrap.mean_differences(grouped(mailed), [(5, 1)] * 199, seed=1) == ()


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"all": 2_000, "complained": 3}, "complained: 3 of the last 2000"),
        ({"all": 2_000, "complained": 2}, ""),
        ({"all": 2_000, "opted_out": 41}, "opted_out: 41 of the last 2000"),
        ({"all": 2_000, "opted_out": 40}, ""),
        ({"all": 499, "opted_out": 400}, ""),
        ({"all": 1_000, "unknown": 11, "bounced": 31}, "unknown: 11 of the last 1000"),
    ],
)
def test_too_much_of_what_nobody_wants_is_named(seen: dict[str, int], said: str) -> None:
    assert breakers.trouble(seen) == said


def _past(campaign: Campaign, arms: str, ordered: Sequence[int] = (), *, days: float = 20) -> None:
    """Enroll customers in this order: `h` in the hold-out, `m` mailed; those at the places `ordered` did."""
    variant, begin = Variant.objects.get(), clock.now() - timedelta(days=days)
    Abandonment.objects.bulk_create(
        Abandonment(
            cart_record_id=-place,
            content_version=1,
            campaign=campaign,
            variant=variant,
            is_holdout=arm == "h",
            state="expired",
            closed_at=clock.now(),
            abandoned_at=begin,
            enrolled_at=begin + timedelta(minutes=place),
            ordered_at=begin + timedelta(hours=5) if place in ordered else None,
            order_minor=1_000 if place in ordered else 0,
            currency="GBP",
            value_minor=1_000,
        )
        for place, arm in enumerate(arms)
    )


def _campaign(planned: int) -> Campaign:
    campaign = Campaign.objects.create(slug="looks", name="Looks", holdout_bp=5_000)
    Step.objects.create(variant=Variant.objects.create(campaign=campaign, key="a"), number=1)
    services.start_campaign(campaign_id=campaign.pk, now=clock.now() - timedelta(days=30))
    Campaign.objects.filter(pk=campaign.pk).update(planned_n=planned)
    campaign.refresh_from_db()
    return campaign


def test_the_chart_shows_the_looks_between_their_bounds() -> None:
    chart = charts.over_looks([look(1, 0.13), look(2, 0.16)], looks.sizes(2_239))
    assert [label for _, _, label in chart.dots] == ["+2.70", "+4.99"]
    assert [label for _, label in chart.marks] == ["560", "1120", "1680", "2239"]
    assert [x for x, _, _ in chart.dots] == [x for x, _ in chart.marks][:2]
    first, second = (y for _, y, _ in chart.dots)
    bounds = [float(point.split(",")[1]) for point in chart.upper.split()]
    below = [float(point.split(",")[1]) for point in chart.lower.split()]
    assert below == [pytest.approx(2 * chart.middle - bound) for bound in bounds]
    assert bounds == sorted(bounds), "later looks ask for less"
    assert bounds[0] < first < chart.middle, "within its bound: below the line"
    assert 0 < second < bounds[1], "beyond its bound: above the line, and still in the drawing"


@pytest.mark.django_db
def test_a_look_holds_the_same_customers_whoever_opens_the_report_and_when() -> None:
    campaign = _campaign(planned=4)
    _past(campaign, "mmhmmhmhm", ordered=(1, 2, 6))
    first, second, third = reporting.report(campaign=campaign, now=clock.now()).looks
    assert (first.control_n, first.control_hits, first.n, first.hits) == (1, 1, 2, 1)
    assert (second.control_n, second.control_hits, second.n, second.hits) == (2, 1, 4, 1)
    assert (third.control_n, third.control_hits, third.n, third.hits) == (3, 1, 5, 2)
    later = clock.now() + timedelta(days=9)
    assert reporting.report(campaign=campaign, now=later).looks == (first, second, third)


@pytest.mark.django_db
def test_a_look_waits_until_its_last_customer_has_had_their_time_and_their_order_is_written() -> None:
    campaign = _campaign(planned=4)
    _past(campaign, "h", days=7)
    over = Abandonment.objects.get().enrolled_at + campaign.outcome_window + SETTLES
    assert reporting.report(campaign=campaign, now=over).looks == ()
    assert len(reporting.report(campaign=campaign, now=over + timedelta(seconds=1)).looks) == 1


def _drawn(campaign: Campaign, margin: bool = False) -> tuple[reporting.Drawn, ...]:  # noqa: FBT001, FBT002 - a test's
    counted = reporting.count(campaign=campaign, now=clock.now())
    return reporting.draw(campaign, counted, reporting.weigh(campaign, counted), has_margin=margin)


@pytest.mark.django_db
def test_the_report_says_which_look_ended_the_test_and_what_customers_spent_more() -> None:
    campaign = _campaign(planned=1_000)
    arms = "hm" * 300
    _past(campaign, arms, ordered=[place for place in range(600) if arms[place] == "m" and place % 4 == 1])
    page = staff("run_campaign").get(url("report", campaign.pk)).content.decode()
    assert page.count("ended the test") == 1
    assert "Mailed customers order more often." in page
    assert "+£5.00 (" in page  # half of them ordered for £10


@pytest.mark.django_db
def test_a_few_huge_orders_do_not_decide_what_customers_spent() -> None:
    campaign = _campaign(planned=1_000)
    _past(campaign, "hm" * 300, ordered=range(0, 600, 10))
    Abandonment.objects.filter(cart_record_id__in=[0]).update(order_minor=9_000_000)
    found = _drawn(campaign)[1].earned_more
    assert found is not None
    assert found.value == pytest.approx(-200)


@pytest.mark.django_db
def test_many_opt_outs_pause_the_campaign_and_stand_in_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakers, "ENOUGH", 3)
    make_sku()
    campaign = make_campaign()
    for _ in range(3):
        leave_cart(make_customer())
        run()
    assert services.watch_campaigns(now=clock.now()) == ()
    answer = Client().post(link("e/u"), {"List-Unsubscribe": "One-Click"})
    undo = answer.context["undo"]
    assert reporting.report(campaign=campaign, now=clock.now()).arms[1].opted_out == 1
    Client().post(link("e/u"), {"undo": undo})
    assert services.watch_campaigns(now=clock.now()) == ()
    Client().post(link("e/u"), {"List-Unsubscribe": "One-Click"})
    assert services.watch_campaigns(now=clock.now()) == ("cart",)
    assert Campaign.objects.get().pause_reason == "opted_out: 1 of the last 3"
