"""The pace of one receiving domain with many workers at once."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from notifications.services import limiting
from notifications.services.limiting import Pace
from tests.notifications.test_pacing import stop_clock, use_pace
from tests.races.rivals import meet

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

WORKERS, TRIES = 4, 10


def go(_: int) -> list[Pace]:
    """Ask for more than there is."""
    return [limiting.take_of_domain(domain="big.example") for _ in range(TRIES)]


def went(answers: list[list[Pace] | Exception]) -> int:
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return sum(answer.count(Pace.GO) for answer in answers if isinstance(answer, list))


def test_many_workers_never_take_more_than_a_domain_and_a_day_allow(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    stop_clock(monkeypatch)
    use_pace(settings, rate_per_domain=12)
    assert went(meet(WORKERS, go)) == 12
    use_pace(settings, rate_per_domain=0, daily_cap=15)
    assert went(meet(WORKERS, go)) == 15


def test_twin_without_the_condition_takes_more(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    stop_clock(monkeypatch)
    use_pace(settings, rate_per_domain=12)
    monkeypatch.setattr(limiting, "_TAKE_OF_DOMAIN", limiting._TAKE_OF_DOMAIN.replace(">= 1", "IS NOT NULL"))
    assert went(meet(WORKERS, go)) == WORKERS * TRIES
