"""Who may get a reminder, which arm somebody is in, when it is quiet, and what a test has shown: pure rules."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import rules
from notifications.rules import Facts, Outcome, Weighted, statistics

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = Facts(
    now=NOW,
    campaign_state="running",
    late_after=NOW + timedelta(hours=1),
    is_event_open=True,
    record_state="active",
    units=2,
    is_content_as_enrolled=True,
    has_newer_live_cart=False,
    has_ordered_since=False,
    has_live_checkout=False,
    is_staff=False,
    is_active=True,
    has_address=True,
    is_verified=True,
    is_suppressed=False,
    is_opted_out=False,
    has_basis=True,
    is_event_new=True,
    has_open_event=False,
    is_cooling_down=False,
    has_reached_cap=False,
    loud_at=NOW,
    sellable_lines=1,
    is_large_enough=True,
    is_same_currency=True,
)
BAD: list[tuple[str, Any, str, str]] = [
    ("campaign_state", "ended", "cancel", "campaign_ended"),
    ("late_after", NOW - timedelta(seconds=1), "cancel", "late"),
    ("campaign_state", "paused", "wait", "campaign_paused"),
    ("is_event_open", False, "cancel", "event_closed"),
    ("record_state", "converted", "cancel", "cart_gone"),
    ("units", 0, "cancel", "cart_empty"),
    ("is_content_as_enrolled", False, "cancel", "cart_changed"),
    ("has_newer_live_cart", True, "cancel", "cart_changed"),
    ("has_ordered_since", True, "cancel", "order_since"),
    ("has_live_checkout", True, "move", "checkout_open"),
    ("is_staff", True, "cancel", "staff"),
    ("is_active", False, "cancel", "customer_inactive"),
    ("has_address", False, "cancel", "no_address"),
    ("is_verified", False, "cancel", "address_unverified"),
    ("is_suppressed", True, "cancel", "suppressed"),
    ("is_opted_out", True, "cancel", "opted_out"),
    ("has_basis", False, "cancel", "no_consent"),
    ("is_event_new", False, "cancel", "seen_before"),
    ("has_open_event", True, "cancel", "event_open"),
    ("is_cooling_down", True, "cancel", "cooldown"),
    ("has_reached_cap", True, "cancel", "frequency_cap"),
    ("loud_at", NOW + timedelta(hours=1), "move", "quiet_hours"),
    ("sellable_lines", 0, "cancel", "nothing_sellable"),
    ("is_large_enough", False, "cancel", "below_minimum"),
    ("is_same_currency", False, "cancel", "currency_changed"),
]


def test_nothing_against_it_passes() -> None:
    assert rules.evaluate(GOOD) == rules.PASSED
    assert all(said.outcome is Outcome.PASS for said in rules.explain(GOOD))


@pytest.mark.parametrize(("fact", "value", "outcome", "reason"), BAD)
def test_each_gate_alone_says_its_own_reason(fact: str, value: Any, outcome: str, reason: str) -> None:
    said = rules.evaluate(replace(GOOD, **{fact: value}))
    assert (said.outcome, said.reason) == (outcome, reason)


@pytest.mark.parametrize("place", range(len(BAD) - 1))
def test_of_two_gates_that_fail_the_first_is_the_reason(place: int) -> None:
    (fact, value, _, reason), (other, other_value, _, _) = BAD[place], BAD[place + 1]
    assert rules.evaluate(replace(GOOD, **{other: other_value, fact: value})).reason == reason


def test_what_is_not_known_yet_passes_and_every_fact_has_a_gate() -> None:
    assert rules.evaluate(Facts(now=NOW)) == rules.PASSED
    assert {field.name for field in fields(Facts)} - {"now"} == {fact for fact, *_ in BAD}


@given(st.lists(st.integers(1, 10**12), max_size=20), st.text("abcdef0123456789", min_size=16, max_size=16))
def test_a_customer_stays_in_the_same_arm_whoever_else_is_asked_about(customers: list[int], salt: str) -> None:
    arms = [Weighted(1, 5_000), Weighted(2, 2_500), Weighted(3, 2_500)]
    together = rules.choose_variants(salt, customers, arms)
    assert together == [rules.choose_variants(salt, [one], arms)[0] for one in customers]
    held = rules.are_held_out(salt, customers, holdout_bp=1_000)
    assert held == [rules.are_held_out(salt, [one], holdout_bp=1_000)[0] for one in customers]
    assert all(0 <= found < 10_000 for found in rules.buckets(salt, "ab", customers))


def test_buckets_are_those_of_campaigns_that_run_already() -> None:
    assert rules.buckets("0123456789abcdef", "ab", [1, 2, 70_000]) == [1_253, 5_224, 8_727]
    assert rules.buckets("0123456789abcdef", "holdout", [1, 2, 70_000]) == [3_991, 6_293, 8_426]


def test_arms_get_their_shares_and_hold_out_and_variant_are_independent() -> None:
    arms = [Weighted(1, 5_000), Weighted(2, 5_000)]
    people = range(20_000)
    held = rules.are_held_out("salt", people, holdout_bp=1_000)
    first = [chosen == 1 for chosen in rules.choose_variants("salt", people, arms)]
    assert 1_850 < sum(held) < 2_150
    assert 9_750 < sum(first) < 10_250
    assert 0.45 < sum(map(all, zip(held, first, strict=True))) / sum(held) < 0.55
    assert held != rules.are_held_out("other", people, holdout_bp=1_000)


def test_shares_that_do_not_make_a_whole_are_refused() -> None:
    with pytest.raises(ValueError, match="10,000"):
        rules.choose_variants("salt", [1], [Weighted(1, 9_999)])


@pytest.mark.parametrize(
    ("zone", "now", "loud"),
    [
        ("Europe/Berlin", "2026-01-10T21:30", "2026-01-11T07:00"),
        ("Europe/Berlin", "2026-01-10T06:59", "2026-01-10T07:00"),
        ("Europe/Berlin", "2026-01-10T12:00", "2026-01-10T12:00"),
        ("America/New_York", "2026-01-10T03:00", "2026-01-10T13:00"),
        ("Asia/Kolkata", "2026-01-10T16:00", "2026-01-11T02:30"),
        ("Europe/Berlin", "2026-03-28T22:00", "2026-03-29T06:00"),  # the clocks go forward in that night
        ("Europe/Berlin", "2026-10-24T22:00", "2026-10-25T07:00"),  # and back in this one
        ("No/Where", "2026-01-10T22:00", "2026-01-11T08:00"),
    ],
)
def test_at_night_a_mail_waits_until_morning_in_the_customers_zone(zone: str, now: str, loud: str) -> None:
    found = rules.next_loud_moment(
        datetime.fromisoformat(now).replace(tzinfo=UTC),
        start=time(21),
        end=time(8),
        zone=zone,
        otherwise="Europe/London",
    )
    assert found == datetime.fromisoformat(loud).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("country", "now", "loud"),
    [
        ("DE", "2026-11-26T21:00", "2026-11-27T07:00"),  # 22:00 in Berlin
        ("IN", "2026-11-26T16:00", "2026-11-27T02:30"),  # 21:30 in Kolkata
        ("US", "2026-11-26T14:00", "2026-11-26T18:00"),  # 9:00 in New York, 4:00 in Honolulu
        ("US", "2026-11-27T02:30", "2026-11-27T18:00"),  # 21:30 in New York, though 16:30 in Honolulu
        ("US", "2026-11-26T20:00", "2026-11-26T20:00"),
        ("RU", "2026-11-26T12:00", "2026-11-27T06:00"),  # from Kaliningrad to Anadyr three hours are left
        ("ES", "2026-11-26T20:30", "2026-11-27T08:00"),  # 21:30 in Madrid, and one hour less on the Canaries
        ("XX", "2026-11-26T20:30", "2026-11-26T20:30"),  # nobody knows: the shop's clock, in London
        ("", "2026-11-26T21:30", "2026-11-27T08:00"),
    ],
)
def test_a_mail_waits_until_it_is_loud_wherever_in_the_country_its_customer_may_be(
    country: str, now: str, loud: str
) -> None:
    found = rules.next_loud_moment_in_all(
        datetime.fromisoformat(now).replace(tzinfo=UTC),
        start=time(21),
        end=time(8),
        zones=rules.zones_of(country),
        otherwise="Europe/London",
    )
    assert found == datetime.fromisoformat(loud).replace(tzinfo=UTC)


def test_where_no_moment_is_loud_in_all_of_a_country_the_shops_clock_counts() -> None:
    found = rules.next_loud_moment_in_all(
        NOW, start=time(10), end=time(9), zones=rules.zones_of("RU"), otherwise="Europe/London"
    )
    assert found == rules.next_loud_moment(NOW, start=time(10), end=time(9), zone="", otherwise="Europe/London")


def test_the_same_time_twice_means_never_quiet_and_hours_may_lie_in_one_day() -> None:
    def at(start: int, end: int) -> datetime:
        return rules.next_loud_moment(NOW, start=time(start), end=time(end), zone="UTC", otherwise="UTC")

    assert at(8, 8) == NOW
    assert at(11, 14) == NOW.replace(hour=14)
    assert at(13, 14) == NOW


def test_intervals_and_tests_agree_with_published_numbers() -> None:
    wilson = statistics.wilson(15, 148)  # Newcombe 1998, table I: 0.0624, 0.1605 (rounded)
    assert (round(wilson.low, 4), round(wilson.high, 4)) == (0.0624, 0.1605)
    newcombe = statistics.lift(hits=56, n=70, control_hits=48, control_n=80)  # table II, method 10
    assert (round(newcombe.difference.low, 4), round(newcombe.difference.high, 4)) == (0.0524, 0.3339)
    shown = statistics.lift(hits=890, n=9_000, control_hits=80, control_n=1_000)
    assert round(shown.p, 3) == 0.056
    assert [round(part * 100, 2) for part in (shown.difference.value, shown.difference.low, shown.difference.high)] == [
        1.89,
        -0.05,
        3.54,
    ]
    assert [round(statistics.chi2_tail(x, df), 4) for x, df in ((3.841, 1), (5.991, 2), (7.815, 3), (9.488, 4))] == [
        0.05
    ] * 4


def test_intervals_and_tests_agree_with_another_program_to_the_sixth_digit() -> None:
    """What SciPy 1.17 and statsmodels 0.15 give (`wilson`, `newcomb`, `proportions_ztest`, `chi2.sf`)."""
    wilson = {
        (15, 148): (0.0623864, 0.160487242),
        (80, 1_000): (0.064748038, 0.098466439),
        (0, 20): (0.0, 0.161125158),
        (20, 20): (0.838874842, 1.0),
    }
    for (hits, n), bounds in wilson.items():
        found = statistics.wilson(hits, n)
        assert (found.low, found.high) == pytest.approx(bounds, abs=1e-6)
    newcombe = {
        (56, 70, 48, 80): (0.052431472, 0.333872654),
        (890, 9_000, 80, 1_000): (-0.00052696, 0.035405866),
        (478, 5_000, 410, 5_000): (0.002447191, 0.024768857),
    }
    for (hits, n, control_hits, control_n), bounds in newcombe.items():
        lift = statistics.lift(hits=hits, n=n, control_hits=control_hits, control_n=control_n)
        assert (lift.difference.low, lift.difference.high) == pytest.approx(bounds, abs=1e-6)
    pooled = {(890, 9_000, 80, 1_000): (1.914687599, 0.055532356), (478, 5_000, 410, 5_000): (2.390537574, 0.016823728)}
    for (hits, n, control_hits, control_n), (z, p) in pooled.items():
        about = {"hits": hits, "n": n, "control_hits": control_hits, "control_n": control_n}
        assert statistics.pooled_z(**about) == pytest.approx(z, abs=1e-6)
        assert statistics.lift(**about).p == pytest.approx(p, abs=1e-6)
    tails = {(3.2, 1): 0.07363827, (7.5, 2): 0.023517746, (11.1, 3): 0.011197247, (2.5, 4): 0.644635793}
    tails |= {(20.0, 7): 0.005569683, (30.0, 12): 0.002792429}
    for (x, df), tail in tails.items():
        assert statistics.chi2_tail(x, df) == pytest.approx(tail, abs=1e-8)


def test_small_cells_are_judged_by_the_exact_test_and_several_variants_together() -> None:
    tea = statistics.fisher_p(hits=3, n=4, control_hits=1, control_n=4)  # Fisher 1935, the lady tasting tea: 34/70
    assert tea == pytest.approx(34 / 70, abs=1e-9)
    whales = statistics.lift(hits=8, n=10, control_hits=1, control_n=6)  # the example of scipy.stats.fisher_exact
    assert whales.p == pytest.approx(0.034965, abs=1e-6)
    assert statistics.fisher_p(hits=0, n=9, control_hits=0, control_n=9) == 1
    assert statistics.lift(hits=20, n=4_000, control_hits=10, control_n=2_000).p == pytest.approx(1)
    exact = statistics.fisher_p(hits=890, n=9_000, control_hits=80, control_n=1_000)
    assert exact == pytest.approx(0.056, abs=0.01), "in large cells both agree"
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert statistics.holm([0.9, 0.8]) == (1.0, 1.0)
    assert statistics.holm([]) == ()


def test_a_split_far_from_its_weights_is_wrong() -> None:
    assert round(statistics.split_p([5_100, 4_900], [1, 1]), 3) == 0.046
    assert statistics.split_p([5_170, 4_830], [1, 1]) < statistics.SPLIT_IS_WRONG
    assert statistics.split_p([0, 0], [1, 1]) == 1
    with pytest.raises(ValueError, match="positive"):
        statistics.split_p([1, 2], [1, 0])


def test_the_sample_grows_with_what_shall_be_seen() -> None:
    sizes = [statistics.sample_size(base=0.1, lift_rel=rel) for rel in (0.1, 0.2, 0.3)]
    assert sizes == [14_751, 3_841, 1_774]
    assert statistics.sample_size(base=0.1, lift_rel=0.2, ratio=9) == 2_186
    with pytest.raises(ValueError, match="between 0 and 1"):
        statistics.sample_size(base=0.9, lift_rel=0.2)


def test_nobody_in_an_arm_means_nothing_is_known() -> None:
    assert statistics.lift(hits=0, n=0, control_hits=1, control_n=10).p == 1
    assert statistics.wilson(0, 0) == statistics.Interval(0, 0, 1)
