"""Pauses and verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import rules


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (421, "offline"),
        (450, "later"),
        (451, "later"),
        (499, "later"),
        (500, "failed"),
        (550, "failed"),
        (554, "failed"),
    ],
)
def test_replies_are_judged_by_their_class(code: int, expected: str) -> None:
    assert rules.verdict(code) == expected


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_retries_wait_for_1_5_15_60_minutes_give_or_take_a_fifth(attempts: int, chance: float) -> None:
    minutes = {1: 1, 2: 5, 3: 15}.get(attempts, 60)
    assert minutes * 48 <= rules.retry_seconds(attempts, chance) <= minutes * 72


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_server_that_is_away_is_asked_at_least_every_18_minutes(deferrals: int, chance: float) -> None:
    assert 12 <= rules.offline_seconds(deferrals, chance) <= 1_080
