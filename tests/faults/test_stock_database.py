"""PostgreSQL goes away amid reservations: all or nothing, a clear answer, and on as soon as it is back."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import OperationalError, connection

from inventory import services as inventory
from inventory.services import ending, reserving
from inventory.types import ReservationView
from shop.core.db import statement
from shop.core.errors import UnavailableError
from shop.embedded import servers
from shop.embedded.postgres import binaries
from shop.embedded.processes import end, start
from tests.conftest import RunningProcess, process_environment, running_process
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import running
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@contextmanager
def altered(change: LiteralString, back: LiteralString) -> Iterator[None]:
    """Alter the tests' database, from another, while the block runs."""
    config = connection.settings_dict
    where = {key: config[setting] for key, setting in (("host", "HOST"), ("port", "PORT"), ("user", "USER"))}
    login = {key: value for key, value in where.items() if value}
    if config["PASSWORD"]:
        login["password"] = config["PASSWORD"]
    name = psycopg.sql.Identifier(config["NAME"])
    with psycopg.connect(dbname="postgres", autocommit=True, **login) as other:
        other.execute(psycopg.sql.SQL("ALTER DATABASE {} {}").format(name, psycopg.sql.SQL(change)))
        try:
            yield
        finally:
            other.execute(psycopg.sql.SQL("ALTER DATABASE {} {}").format(name, psycopg.sql.SQL(back)))


@pytest.mark.parametrize("long_wait_seconds", [60, -1])
def test_a_server_without_a_free_connection_is_an_unavailable_answer_however_long_it_took_and_then_it_goes_on(
    long_wait_seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserving, "LONG_WAIT_SECONDS", long_wait_seconds)
    stock(MUG=2)

    def buy() -> ReservationView:
        return inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    with (
        altered("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
        running(buy) as answer,
        pytest.raises(UnavailableError) as refused,
    ):
        answer.result(PATIENCE_SECONDS)
    assert refused.value.retry_after_seconds
    assert counters() == {"MUG": (2, 0)}

    with running(buy) as answer:
        answer.result(PATIENCE_SECONDS)
    assert counters() == {"MUG": (2, 1)}
    assert_balanced()


def losing_the_answer(original: Callable[..., Any]) -> Callable[..., Any]:
    """Do what is asked, then say that the connection is gone: nobody knows what has become of the commit."""
    lost: list[bool] = []

    def run(*args: Any, **named: Any) -> Any:
        answer = original(*args, **named)
        if not lost:
            lost.append(True)
            raise OperationalError
        return answer

    return run


def test_a_reservation_whose_answer_was_lost_is_found_by_who_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserving, "statement", losing_the_answer(statement))
    stock(MUG=2)

    with pytest.raises(UnavailableError):
        inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    assert states() == {view.reservation_id: "soft"}
    assert counters() == {"MUG": (2, 1)}
    assert_balanced()


def test_twin_who_asks_again_under_another_name_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserving, "statement", losing_the_answer(statement))
    stock(MUG=2)

    with pytest.raises(UnavailableError):
        inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.reserve(demands=demands(MUG=1), owner="chk_1_again")

    assert counters() == {"MUG": (2, 2)}


@pytest.mark.parametrize("act", ["commit", "release"])
def test_an_end_whose_answer_was_lost_happens_once(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    stock(MUG=2)
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    monkeypatch.setattr(ending, "statement", losing_the_answer(statement))

    def finish() -> object:
        if act == "commit":
            return inventory.commit(reservation_id=view.reservation_id)
        return inventory.release(reservation_id=view.reservation_id, cause="cancelled")

    with pytest.raises(UnavailableError):
        finish()
    finish()

    assert counters() == {"MUG": (1, 0) if act == "commit" else (2, 0)}
    assert_balanced()


BRING = """
WITH brought AS (
       INSERT INTO inventory_stockitem (sku_id, on_hand, reserved) VALUES ('MUG', 1000000, 0), ('LAMP', 1000000, 0)
       RETURNING sku_id, on_hand)
INSERT INTO inventory_stockentry (at, sku_id, delta, on_hand_after, kind, reason, note, reference)
SELECT now(), sku_id, on_hand, on_hand, 'initial', 'received', '', '' FROM brought RETURNING sku_id
"""


def copy_tables(environment: dict[str, str]) -> None:
    """Make the tables of the tests' database there: quicker than all migrations."""
    here, there = process_environment()["DATABASE_URL"], environment["DATABASE_URL"]
    dumping = [str(binaries() / "pg_dump"), "--schema-only", "--no-owner", "--no-privileges", here]
    dump = subprocess.run(dumping, capture_output=True, check=True, timeout=60).stdout
    reading = [str(binaries() / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", there]
    subprocess.run(reading, input=dump, stdout=subprocess.DEVNULL, check=True, timeout=60)


BOOKED = "SELECT reference, count(*) FROM inventory_stockentry WHERE kind = 'sale' GROUP BY reference"
DRIFTS = """
SELECT sku_id FROM inventory_stockitem s
 WHERE on_hand <> (SELECT sum(delta) FROM inventory_stockentry e WHERE e.sku_id = s.sku_id)
    OR reserved <> (SELECT coalesce(sum(l.quantity), 0)
                      FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
                     WHERE l.sku_id = s.sku_id AND r.state = 'soft' AND l.is_live)
"""


def ask(folder: Path, sql: LiteralString) -> list[tuple[Any, ...]]:
    """Run one statement on the PostgreSQL of its own."""
    with psycopg.connect(host=str(folder / "s"), user="postgres", dbname="postgres", autocommit=True) as server:
        cursor = server.execute(sql)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def own_postgres(folder: Path) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """Run a PostgreSQL of its own that keeps what it has committed; give its environment, and what restarts it."""
    folder.chmod(0o711)
    sockets = folder / "s"
    (program,) = servers.programs(folder, sockets, is_durable=False, with_redis=False)

    def begin() -> subprocess.Popen[bytes]:
        process = start(program)
        servers.wait_until_ready(program, process, sockets)
        return process

    current = [begin()]
    # The machine does not fail here, the server does: what it has handed to the system is safe, nothing else is.
    ask(folder, "ALTER DATABASE postgres SET synchronous_commit = on")

    def restart() -> None:
        current[0].send_signal(
            signal.SIGQUIT
        )  # `pg_ctl stop -m immediate`: nobody is asked, the log is read at the start
        end(current[0], grace_seconds=10)
        current[0] = begin()

    try:
        yield {**process_environment(), "DATABASE_URL": f"postgres://postgres@/postgres?host={sockets}"}, restart
    finally:
        end(current[0], grace_seconds=10)


def sold(shoppers: Sequence[RunningProcess]) -> set[str]:
    """Give the sales that were answered."""
    return {line.split()[1] for shopper in shoppers for line in shopper.output().splitlines() if "sold" in line}


def wait_for_five_more(shoppers: Sequence[RunningProcess]) -> None:
    """Wait until each has sold five times more than up to now."""
    for shopper, done in [(shopper, len(sold([shopper]))) for shopper in shoppers]:
        shopper.wait_for(f"_{done + 5}\n")


def test_postgresql_restarted_amid_reservations_loses_no_sale_and_makes_none_twice(tmp_path: Path) -> None:
    client = ["python", "-m", "tests.faults.stock_client"]
    with ExitStack() as stack:
        environment, restart = stack.enter_context(own_postgres(tmp_path))
        copy_tables(environment)
        ask(tmp_path, BRING)
        shoppers = [stack.enter_context(running_process([*client, name], env=environment)) for name in ("anna", "bert")]
        for shopper in shoppers:
            shopper.wait_for("sold")

        restart()

        wait_for_five_more(shoppers)
        told, booked = sold(shoppers), dict(ask(tmp_path, BOOKED))
        assert ask(tmp_path, DRIFTS) == []
        assert set(booked.values()) == {2}, "a line for each of two SKUs: no sale is halved, and none made twice"
        assert told <= set(booked), "what was answered has happened"
        assert any("unavailable" in shopper.output() for shopper in shoppers), "nobody met the restart"
        assert not any("lost" in shopper.output() for shopper in shoppers), "a reservation that was answered stays"

        # The twin, in the same server: a commit that waits for no log is answered, and lost in the next restart.
        ask(tmp_path, "ALTER SYSTEM SET wal_writer_delay = '10s'")
        ask(tmp_path, "ALTER DATABASE postgres SET synchronous_commit = off")
        restart()
        wait_for_five_more(shoppers)
        restart()
        for shopper in shoppers:
            shopper.process.send_signal(signal.SIGTERM)
            assert shopper.wait() == 0, shopper.output()
        assert not sold(shoppers) <= set(dict(ask(tmp_path, BOOKED)))
