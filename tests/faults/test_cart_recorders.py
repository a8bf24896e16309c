"""Recorders that are killed, frozen or doubled, and one whose PostgreSQL is stopped. Real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from django.db import connection
from pytest_django import Settings

from cart import keys, recorder, selectors, services, store, stream
from cart.models import CartEvent, CartRecord
from cart.types import CartRef
from shop.embedded import postgres, servers
from shop.embedded.processes import Program, end, has_ended, start
from tests.cart.helpers import NOW, customer, make_sku
from tests.conftest import RunningProcess, RunProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

RECORD = """
import os, signal, sys, time
import django
django.setup()
from cart import recorder, recording, stream
how = sys.argv[1]
if how == "die_before_acknowledging":
    stream.acknowledge = lambda entries: os.kill(os.getpid(), signal.SIGKILL)
if how.startswith("acknowledge_first"):
    record = recorder.record
    def hasty(mine, entries):
        stream.acknowledge(entries)
        if how == "acknowledge_first_and_die":
            os.kill(os.getpid(), signal.SIGKILL)
        return record(mine, entries)
    recorder.record = hasty
if how == "unguarded":
    recording._UPSERT = recording._UPSERT.replace("r.version < excluded.version", "true")
if how in ("freeze_before_writing", "unguarded"):
    write = recording.write
    def frozen(snapshots):
        if snapshots:
            recording.write = write
            os.kill(os.getpid(), signal.SIGSTOP)
        return write(snapshots)
    recording.write = frozen
if how == "namesake":
    recorder.consumer_name = lambda: "namesake"
    recorder.IDLE_MS = 3_600_000
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
print("Recording.", flush=True)
print("Recorded", recorder.run(should_stop=lambda: bool(stop)), flush=True)
"""


def add(ref: CartRef, *, times: int = 1) -> None:
    """Add a unit so many times."""
    for _ in range(times):
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)


def row(ref: CartRef) -> tuple[int, int, int]:
    """Give units and version of a record, and how many changes its history has."""
    record = CartRecord.objects.get(owner=ref.owner)
    return record.units, record.version, CartEvent.objects.filter(owner=ref.owner).count()


def test_killed_between_commit_and_acknowledgement_the_repeat_changes_nothing(run_process: RunProcess) -> None:
    make_sku()
    ref = customer()
    add(ref, times=3)
    with run_process([sys.executable, "-c", RECORD, "die_before_acknowledging"]) as process:
        assert process.wait() in (-9, 137), process.output()
    before = row(ref)
    assert before == (3, selectors.get_cart(ref=ref).version, 3)

    assert recorder.drain(idle_ms=3_600_000) == 0  # they are the dead one's, for a while
    assert recorder.drain(idle_ms=0) == 3

    assert row(ref) == before
    assert selectors.recorder_status().stale == 1


def test_killed_after_acknowledging_what_is_not_committed_it_would_be_lost(run_process: RunProcess) -> None:
    """The twin."""
    make_sku()
    add(customer(), times=3)
    with run_process([sys.executable, "-c", RECORD, "acknowledge_first_and_die"]) as process:
        assert process.wait() in (-9, 137), process.output()
    assert recorder.drain(idle_ms=0) == 0
    assert not CartRecord.objects.exists()


@pytest.mark.parametrize("guard", ["freeze_before_writing", "unguarded"])
def test_a_recorder_that_slept_while_another_took_over_writes_nothing_old(run_process: RunProcess, guard: str) -> None:
    """The second is the twin: without the guard of versions what it slept on would win."""
    make_sku()
    ref = customer()
    add(ref)
    with run_process([sys.executable, "-c", RECORD, guard]) as process:
        sleeper = psutil.Process(process.process.pid)
        wait_until(lambda: sleeper.status() == psutil.STATUS_STOPPED)
        add(ref, times=4)
        assert recorder.drain(idle_ms=0) == 5
        newer = row(ref)
        assert newer[0] == 5

        sleeper.resume()
        if guard == "unguarded":
            wait_until(lambda: row(ref)[0] == 1)
        else:
            wait_until(lambda: selectors.recorder_status().stale == 1)
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.wait() == 0, process.output()
    assert (row(ref) == newer) == (guard != "unguarded")


def _pending(ref: CartRef) -> int:
    name = keys.events(keys.partition(ref.owner))
    return int(store.run(lambda client: client.xpending(name, stream.GROUP))["pending"])


def _waiting(partition: int) -> int:
    stream.trim(partition)  # behind the lowest that is not acknowledged
    return stream.backlog(partition)[0]


def test_two_recorders_of_one_name_lose_nothing_and_record_nothing_twice(run_process: RunProcess) -> None:
    make_sku(on_hand=5_000)
    refs = [customer(number) for number in range(1, 31)]
    argv = [sys.executable, "-c", RECORD, "namesake"]
    with run_process(argv) as one, run_process(argv) as other:
        for process in (one, other):
            process.wait_for("Recording.")
        for _ in range(4):
            for ref in refs:
                add(ref)
        wait_until(lambda: CartEvent.objects.count() == 120 and not any(map(_pending, refs)))
        for process in (one, other):
            os.kill(process.process.pid, signal.SIGTERM)
        outputs = [process.output() for process in (one, other) if process.wait() == 0]
    assert sum(int(output.split("Recorded ")[1].split()[0]) for output in outputs) == 120
    assert [row(ref) for ref in refs] == [(4, selectors.get_cart(ref=ref).version, 4) for ref in refs]


def test_recorders_that_do_not_share_a_group_would_each_record_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: it is the group that hands each event to one."""
    make_sku()
    add(customer(), times=3)
    counts = []
    for group in ("one", "other"):
        monkeypatch.setattr(stream, "GROUP", group)
        stream.make_groups()
        monkeypatch.setattr(stream, "trim", lambda _: 0)
        counts.append(recorder.drain())
    assert counts == [3, 3]


class OwnPostgres:
    """A PostgreSQL of the test's own with the carts' tables, to be stopped and started again on its data."""

    def __init__(self, directory: Path) -> None:
        self.sockets = directory / "run"
        log = directory / "postgres.log"
        postgres.prepare(directory / "data", self.sockets, log=log)
        self.program: Program = postgres.program(directory / "data", self.sockets, log=log, is_durable=False)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = start(self.program, cwd=Path("/"))
        servers.wait_until_ready(self.program, self.process, self.sockets)

    def stop(self) -> None:
        """Stop it: whoever is connected is thrown out."""
        if self.process:
            end(self.process, stop_signal=signal.SIGINT, grace_seconds=20)
            self.process = None

    def query(self, text: str) -> list[Any]:
        """Ask it."""
        with psycopg.connect(host=str(self.sockets), user="postgres", dbname="trolley", autocommit=True) as own:
            return own.execute(text.encode()).fetchall()

    def copy_tables(self, pattern: str) -> None:
        """Make the tables and views of the test's database that are named so; they are empty."""
        postgres.ensure_database(self.sockets, "trolley")
        config = connection.settings_dict
        tool, plain = postgres.binaries() / "pg_dump", ["--no-owner", "--schema-only", "-t", pattern]
        where = [
            f"--host={config['HOST']}",
            f"--username={config['USER']}",
            *(["-p", config["PORT"]] if config["PORT"] else []),
        ]
        dump = subprocess.run(
            [tool, *where, *plain, config["NAME"]],
            env={**os.environ, "PGPASSWORD": config["PASSWORD"]},
            check=True,
            capture_output=True,
        )
        with psycopg.connect(host=str(self.sockets), user="postgres", dbname="trolley", autocommit=True) as own:
            own.execute(b"\n".join(line for line in dump.stdout.splitlines() if not line.startswith(b"\\")))


@contextmanager
def own_postgres(directory: Path) -> Iterator[OwnPostgres]:
    """Run one for as long as the block lasts; the directory is deleted at its end."""
    directory.mkdir(mode=0o711)
    server = OwnPostgres(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def stopped_beneath(
    run_process: RunProcess, settings: Settings, refs: list[CartRef], *argv: str
) -> Iterator[tuple[OwnPostgres, RunningProcess]]:
    """Let a recorder record ten carts in a PostgreSQL of its own, stop that, and change the carts once more."""
    make_sku(on_hand=5_000)
    # The path of a socket may not be long, and PostgreSQL, which runs as somebody else, has to pass.
    with own_postgres(Path(settings.TEST_SERVERS_DIR) / f"own-{os.getpid()}") as server:
        server.copy_tables("cart_*")
        url = f"postgres://postgres@/trolley?host={server.sockets}"
        with run_process([sys.executable, *argv], env={"DATABASE_URL": url}) as process:
            process.wait_for("Recording")
            for ref in refs:
                add(ref)
            wait_until(lambda: server.query("SELECT sum(units) FROM cart_cartrecord") == [(10,)])
            server.stop()
            for ref in refs:
                add(ref)
            wait_until(lambda: process.output().count("recorder_waits") >= 3)
            yield server, process


def test_while_postgresql_is_stopped_events_wait_for_it(
    run_process: RunProcess, cart_redis: redis.Redis, settings: Settings
) -> None:
    refs = [customer(number) for number in range(1, 11)]
    with stopped_beneath(run_process, settings, refs, "manage.py", "record_cart_events") as (server, process):
        assert not has_ended(process.process)
        assert sum(map(_waiting, {keys.partition(ref.owner) for ref in refs})) == 10

        server.start()
        wait_until(lambda: server.query("SELECT sum(units) FROM cart_cartrecord") == [(20,)])
        found = dict(server.query("SELECT owner, version FROM cart_cartrecord"))
    assert found == {ref.owner: selectors.get_cart(ref=ref).version for ref in refs}


def test_a_recorder_that_acknowledges_first_would_have_nothing_left_to_record(
    run_process: RunProcess, cart_redis: redis.Redis, settings: Settings
) -> None:
    """The twin: what it held in hand dies with it."""
    refs = [customer(number) for number in range(1, 11)]
    with stopped_beneath(run_process, settings, refs, "-c", RECORD, "acknowledge_first") as (_, process):
        wait_until(lambda: not any(map(_pending, refs)))
        os.kill(process.process.pid, signal.SIGKILL)
        # The first batch at least was acknowledged; what came after it waits.
        assert sum(map(_waiting, {keys.partition(ref.owner) for ref in refs})) < 10
