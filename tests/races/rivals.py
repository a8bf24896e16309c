"""Rivals: threads, each with a database connection of its own, that start together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

from tests.waiting import PATIENCE_SECONDS

T = TypeVar("T")


def meet(count: int, act: Callable[[int], T]) -> list[T | Exception]:
    """Let `count` threads reach a barrier with an open connection, then act; give what each answered or raised."""
    barrier = threading.Barrier(count)

    def rival(number: int) -> T | Exception:
        try:
            be_patient()
            barrier.wait(PATIENCE_SECONDS)
            return act(number)
        except Exception as error:  # noqa: BLE001 - what was raised is the result
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(rival, range(count), timeout=PATIENCE_SECONDS))


def be_patient() -> None:
    """Let this session wait longer than the shop does: a slow machine is not the fault that is looked for."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{PATIENCE_SECONDS}s'; SET statement_timeout = '{PATIENCE_SECONDS}s'")


@contextmanager
def running(act: Callable[[], T]) -> Iterator[Future[T]]:
    """Run `act` in a thread with a connection of its own while the block runs."""

    def rival() -> T:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(rival)


@contextmanager
def held_open(act: Callable[[], object], *, keep: bool = True) -> Iterator[int]:
    """Do `act` in another session and leave its transaction open while the block runs; give that session's pid.

    At the block's end it is committed, or, unless `keep`, rolled back; what that raises is raised here.
    """
    is_done, may_end = threading.Event(), threading.Event()
    pid: list[int] = []

    def hold() -> None:
        with transaction.atomic():
            connection.ensure_connection()
            pid.append(connection.connection.info.backend_pid)
            act()
            is_done.set()
            assert may_end.wait(PATIENCE_SECONDS)
            if not keep:
                transaction.set_rollback(True)

    with running(hold) as future:
        try:
            while not is_done.wait(0.01):
                if future.done():
                    future.result()
            yield pid[0]
        finally:
            may_end.set()
        future.result(PATIENCE_SECONDS)


def wait_until_blocked(*, rivals: int = 1, unless: Future[Any] | None = None) -> None:
    """Wait until as many sessions of this database wait for a lock, or until `unless` is done."""
    until = time.monotonic() + PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= rivals or (unless is not None and unless.done()):
                return
            cursor.execute("SELECT pg_sleep(0.005), pg_stat_clear_snapshot()")  # in a transaction it is kept
    msg = f"{rivals} rivals do not wait for a lock"
    raise AssertionError(msg)
