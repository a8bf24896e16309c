"""The lane of a hot SKU under rivals: exact at the last unit, in order of arrival, not stuck by a leader who fails."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from pytest_django import Settings

from inventory import services as inventory
from inventory.combining import Combiner
from inventory.conf import conf
from inventory.errors import InsufficientStockError
from inventory.models import Reservation, StockItem
from inventory.services import lane
from inventory.types import ReservationView
from shop.core.errors import UnavailableError
from tests.inventory.helpers import assert_balanced, counters, demands, stock
from tests.races.rivals import be_patient, held_open, meet, wait_until_blocked
from tests.races.test_stock_overselling import without_check
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

RIVALS = 20
TOGETHER = importlib.import_module("inventory.migrations.0010_requests_are_decided_together").TOGETHER
ALL_AT_ONCE = "GROUP BY u.sku_id HAVING sum(u.quantity) > coalesce((free->>u.sku_id)::int, 0)"
IN_ORDER = "GROUP BY q.number, q.owner, q.id ORDER BY q.number"
PASSED_OVER = "ORDER BY s.sku_id FOR UPDATE SKIP LOCKED"


@pytest.fixture(autouse=True)
def _patient(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.INVENTORY = replace(conf(), lane_wait_seconds=60)
    monkeypatch.setattr(lane, "_lanes", {})


@contextmanager
def decided_by(changed: str) -> Iterator[None]:
    """Let the database decide by another function while the block runs."""
    assert changed != TOGETHER
    try:
        with connection.cursor() as cursor:
            cursor.execute(changed.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(TOGETHER.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def heat(**units: int) -> None:
    stock(**units)
    inventory.mark_hot(sku_id="HOT", is_hot=True)


def outcomes() -> Counter[str]:
    """Let 200 buyers, 20 at once, come for one of HOT each."""

    def buy(number: int) -> list[ReservationView | Exception]:
        answers: list[ReservationView | Exception] = []
        for turn in range(200 // RIVALS):
            try:
                answers.append(inventory.reserve(demands=demands(HOT=1), owner=f"chk_{number}_{turn}"))
            except (InsufficientStockError, IntegrityError) as refusal:
                answers.append(refusal)
        return answers

    found: Counter[str] = Counter()
    for answers in meet(RIVALS, buy):
        assert isinstance(answers, list), answers
        found.update(type(answer).__name__ for answer in answers)
    return found


def one(owner: str, **quantities: int) -> str:
    """Reserve in a session of its own; say what came of it."""
    be_patient()
    try:
        inventory.reserve(demands=demands(**(quantities or {"HOT": 1})), owner=owner)
    except (InsufficientStockError, UnavailableError) as refusal:
        return type(refusal).__name__
    finally:
        connection.close()
    return "reserved"


def lock(sku_id: str) -> None:
    StockItem.objects.select_for_update().get(pk=sku_id)


def queue_up(pool: ThreadPoolExecutor, carts: Sequence[dict[str, int]]) -> list[Future[str]]:
    """Let the first lead, and wait for a row that is locked; let the others queue up behind it, one after another."""
    asked = [pool.submit(one, "chk_0", **carts[0])]
    wait_until_blocked()
    combiner = lane._lane("HOT")
    for number, cart in enumerate(carts[1:], 1):
        asked.append(pool.submit(one, f"chk_{number}", **cart))
        until = time.monotonic() + PATIENCE_SECONDS
        while len(combiner._waiting) < number:
            assert time.monotonic() < until
            time.sleep(0.002)
    return asked


def test_of_200_buyers_in_the_lane_one_gets_the_last_unit() -> None:
    heat(HOT=1)

    assert outcomes() == {"ReservationView": 1, "InsufficientStockError": 199}

    assert counters() == {"HOT": (1, 1)}
    assert_balanced()


def test_twin_that_grants_without_looking_oversells() -> None:
    heat(HOT=1)
    with without_check(), decided_by(TOGETHER.replace(ALL_AT_ONCE, "HAVING false")):
        found = outcomes()
        assert found["ReservationView"] > 1
        assert counters()["HOT"][1] > 1


def served() -> list[str]:
    """Let seven queue up for four of HOT; the third wants more of COLD than there is."""
    heat(HOT=4, COLD=1)
    with ThreadPoolExecutor(8) as pool:
        with held_open(lambda: lock("HOT")):
            answers = queue_up(pool, [{"HOT": 1, "COLD": 2} if number == 2 else {"HOT": 1} for number in range(7)])
        return [answer.result(PATIENCE_SECONDS) for answer in answers]


def test_who_came_first_is_served_first_and_those_who_waited_in_one_commit() -> None:
    short = "InsufficientStockError"
    assert served() == ["reserved", "reserved", short, "reserved", "reserved", short, short]

    assert counters() == {"HOT": (4, 4), "COLD": (1, 0)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text), count(*) FROM inventory_reservation")
        assert cursor.fetchone() == (2, 4)  # the leader's own, and all who came meanwhile
    assert_balanced()


def test_twin_decided_from_the_end_the_first_get_nothing() -> None:
    with decided_by(TOGETHER.replace(IN_ORDER, f"{IN_ORDER} DESC")):
        assert served()[1] == "InsufficientStockError"


def kill_a_leader(*, is_in_vain: bool = False) -> list[str]:
    """Let six ask at once, and end the session of the one that decides while it waits; say what each got.

    Those who wait in vain are sent away at the end.
    """
    heat(HOT=50)
    with ThreadPoolExecutor(6) as pool:
        with held_open(lambda: lock("HOT")):
            answers = queue_up(pool, [{"HOT": 1}] * 6)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND query LIKE '%inventory_reserve_together%'"
                )
                assert cursor.fetchall() == [(True,)]
        first = answers[0].result(PATIENCE_SECONDS)
        done, _ = wait(answers[1:], 0.2 if is_in_vain else PATIENCE_SECONDS)
        got = [first, *(answer.result() if answer in done else "waits" for answer in answers[1:])]
        for turn in lane._lane("HOT")._waiting:
            turn.wake.set()
        return got


def test_a_leader_whose_session_is_killed_leaves_the_lane_to_the_next_and_nothing_behind() -> None:
    assert kill_a_leader() == ["UnavailableError"] + ["reserved"] * 5

    assert Reservation.objects.count() == 5
    assert_balanced()


def test_twin_whose_followers_are_not_told_wait_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(combiner: Combiner[object, object]) -> None:
        batch, combiner._waiting = combiner._waiting, []
        for turn, answer in zip(batch, combiner._ask_all([turn.question for turn in batch]), strict=True):
            turn.answer = answer
            turn.wake.set()
        combiner._is_led = False

    monkeypatch.setattr(Combiner, "_lead", careless)
    assert kill_a_leader(is_in_vain=True) == ["UnavailableError"] + ["waits"] * 5


def test_those_whose_leader_fails_amid_their_batch_ask_again_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    heat(HOT=50)
    decide = lane.decide

    def lose_the_answer(requests: Sequence[lane._Request]) -> list[lane._Answer]:
        answers = decide(requests)
        if len(requests) > 1:
            raise UnavailableError(retry_after_seconds=1)
        return answers

    monkeypatch.setattr(lane, "decide", lose_the_answer)
    with ThreadPoolExecutor(4) as pool:
        with held_open(lambda: lock("HOT")):
            answers = queue_up(pool, [{"HOT": 1}] * 4)
        got = [answer.result(PATIENCE_SECONDS) for answer in answers]

    # What was committed is found by its owner; of the one who asked for all nobody knows, and it ends by its time.
    assert got == ["reserved", "UnavailableError", "reserved", "reserved"]
    assert counters() == {"HOT": (50, 4)}
    assert_balanced()


def with_a_cold_sku_locked(*, waits: bool = False) -> list[str]:
    """Let three queue up; the second wants a cold SKU besides that somebody keeps locked for longer than they wait."""
    heat(COLD=5, HOT=5)
    with ThreadPoolExecutor(3) as pool, held_open(lambda: lock("COLD")):
        with held_open(lambda: lock("HOT")):
            answers = queue_up(pool, [{"HOT": 1}, {"COLD": 1, "HOT": 1}, {"HOT": 1}])
        first = answers[0].result(PATIENCE_SECONDS)
        wait_until_blocked()
        wait([answers[2]], 0.3 if waits else PATIENCE_SECONDS)
        return [first, *(answer.result() if answer.done() else "waits" for answer in answers[1:])]


def test_a_cold_sku_that_is_locked_holds_up_nobody_else_in_the_lane() -> None:
    assert with_a_cold_sku_locked() == ["reserved", "waits", "reserved"]
    assert counters() == {"COLD": (5, 1), "HOT": (5, 3)}
    assert_balanced()


def test_twin_that_waits_for_cold_skus_too_holds_up_the_lane() -> None:
    with decided_by(TOGETHER.replace(PASSED_OVER, "ORDER BY s.sku_id FOR UPDATE")):
        assert with_a_cold_sku_locked(waits=True) == ["reserved", "waits", "waits"]


def test_an_owner_who_asks_twice_at_once_has_one_reservation() -> None:
    heat(HOT=50)

    answers = meet(8, lambda _: inventory.reserve(demands=demands(HOT=2), owner="chk_same"))

    assert {answer.reservation_id for answer in answers if isinstance(answer, ReservationView)} == {
        *Reservation.objects.filter(state="soft").values_list("id", flat=True)
    }
    assert counters() == {"HOT": (50, 2)}
    assert_balanced()


def test_lanes_sweeps_and_the_plain_way_do_not_deadlock() -> None:
    heat(HOT=500, COLD=500, WARM=500)
    inventory.mark_hot(sku_id="WARM", is_hot=True)

    def act(number: int) -> int:
        for turn in range(12):
            owner = f"chk_{number}_{turn}"
            if number % 3 == 0:
                with transaction.atomic():
                    view = inventory.reserve(demands=demands(WARM=1, COLD=1, HOT=1), owner=owner, ttl_seconds=0)
            else:
                wanted = demands(HOT=1, COLD=1) if number % 2 else demands(WARM=1, HOT=1)
                view = inventory.reserve(demands=wanted, owner=owner)
            if turn % 3 == 0:
                inventory.sweep()
            elif turn % 3 == 1 and number % 3:
                inventory.commit(reservation_id=view.reservation_id)
        return 12

    answers = meet(9, act)

    assert [answer for answer in answers if isinstance(answer, OperationalError)] == []
    assert answers == [12] * 9
    assert_balanced()
