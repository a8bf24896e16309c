"""The process that writes carts through to PostgreSQL: reads events, records them, acknowledges them."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import DatabaseError, DataError, InterfaceError, OperationalError, close_old_connections

from cart import comparing, recording, signs, stream
from cart.codec import to_micros
from cart.conf import conf
from cart.errors import CartsUnavailableError
from cart.recording import Snapshot
from cart.signs import Sign
from cart.stream import Entry
from shop.core import clock

BATCH = 200
MAX_DELIVERIES = 5
IDLE_MS = 5_000
"""Another recorder's events are taken over when it has not acknowledged them for so long."""
FORGET_MS = 3_600_000
POLL_SECONDS = 0.05
CLAIM_SECONDS = 2.0
HOUSEKEEPING_SECONDS = 2.0
MAX_BACKOFF_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recorder:
    """What one recorder remembers between two batches."""

    consumer: str
    should_stop: Callable[[], bool]
    claimed_at: float = 0.0
    kept_house_at: float = 0.0
    backoff_seconds: float = POLL_SECONDS
    recorded: int = 0
    stale: int = 0
    """Snapshots that met a record as new or newer, not yet counted: repeats, and writes of a recorder that slept."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why an event could not be recorded, by partition and entry."""


def consumer_name() -> str:
    """Name this process: host, process id and start, so that no two recorders share a name."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns() // 1_000_000}"


def run(*, should_stop: Callable[[], bool], sleep: Callable[[float], object] = time.sleep) -> int:
    """Record events until `should_stop`; give back how many were recorded. Outages are waited out, with back-off."""
    recorder = Recorder(consumer_name(), should_stop)
    while not should_stop():
        try:
            if _turn(recorder) < BATCH:
                # Gather what comes one by one: a batch of one costs PostgreSQL and us nearly as much as one of fifty.
                sleep(POLL_SECONDS)
            recorder.backoff_seconds = POLL_SECONDS
        except (CartsUnavailableError, OperationalError, InterfaceError) as error:
            log.warning("recorder_waits", extra={"reason": type(error).__name__})
            close_old_connections()
            recorder.backoff_seconds = min(recorder.backoff_seconds * 2, MAX_BACKOFF_SECONDS)
            sleep(recorder.backoff_seconds)
    return recorder.recorded


def drain(*, idle_ms: int = IDLE_MS) -> int:
    """Record what is waiting, then return how many events that was.

    :raises CartsUnavailableError: if Redis cannot answer now.
    :raises OperationalError: if PostgreSQL cannot.
    """
    recorder = Recorder(consumer_name(), lambda: False)
    _compare()
    while entries := stream.read_new(consumer=recorder.consumer, count=BATCH):
        record(recorder, entries)
    _claim(recorder, idle_ms)
    _keep_house(recorder)
    return recorder.recorded


def _turn(recorder: Recorder) -> int:
    """Do what is due; tell how many events there were to record."""
    now = time.monotonic()
    if now - recorder.kept_house_at >= HOUSEKEEPING_SECONDS:
        recorder.kept_house_at = now
        # Before anything is read: an older file of Redis may have come back, with events long recorded.
        _compare()
        _keep_house(recorder)
        close_old_connections()
    if now - recorder.claimed_at >= CLAIM_SECONDS:
        recorder.claimed_at = now
        _claim(recorder, IDLE_MS)
    entries = stream.read_new(consumer=recorder.consumer, count=BATCH)
    for start in range(0, len(entries), BATCH):
        _record_patiently(recorder, entries[start : start + BATCH])
    return len(entries)


def _compare() -> None:
    """Compare carts if Redis was restarted. A server that is full cannot be put right; it is tried again later."""
    try:
        comparing.compare_if_restarted()
    except CartsUnavailableError:
        log.warning("recorder_could_not_compare")


def _record_patiently(recorder: Recorder, entries: Sequence[Entry]) -> None:
    """Record a batch, waiting for PostgreSQL if need be; without acknowledgement nothing is lost if we stop."""
    seconds = POLL_SECONDS
    while not recorder.should_stop():
        try:
            record(recorder, entries)
            return
        except (OperationalError, InterfaceError) as error:
            log.warning("recorder_waits", extra={"reason": type(error).__name__})
            close_old_connections()
            seconds = min(seconds * 2, MAX_BACKOFF_SECONDS)
            time.sleep(seconds)


def record(recorder: Recorder, entries: Sequence[Entry]) -> None:
    """Write the newest snapshot of each cart of a batch, commit, then acknowledge. Bad events stay unacknowledged.

    :raises OperationalError, InterfaceError: if PostgreSQL cannot answer; nothing is acknowledged then.
    :raises CartsUnavailableError: if Redis cannot answer; the events will come again and change nothing.
    """
    good: list[tuple[Entry, Snapshot]] = []
    done: list[Entry] = []
    for entry in entries:
        if entry.fields is None:
            done.append(entry)  # deleted from the stream: there is nothing left to record
            continue
        try:
            good.append((entry, recording.read_entry(entry)))
        except ValueError as error:
            _fail(recorder, entry, str(error))
    try:
        recorder.stale += recording.write([snapshot for _, snapshot in good])
        done += [entry for entry, _ in good]
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        # One of them is poison: find it, so that its neighbours are recorded.
        done += [entry for entry, snapshot in good if _upsert_one(recorder, entry, snapshot)]
    stream.acknowledge(done)
    recorder.recorded += len(done)


def _upsert_one(recorder: Recorder, entry: Entry, snapshot: Snapshot) -> bool:
    try:
        recorder.stale += recording.write([snapshot])
        return True
    except (OperationalError, InterfaceError):
        raise
    except (DataError, DatabaseError) as error:
        _fail(recorder, entry, f"{type(error).__name__}: {error}")
        return False


def _fail(recorder: Recorder, entry: Entry, reason: str) -> None:
    log.error("cart_event_not_recorded", extra={"partition": entry.partition, "entry": entry.entry_id})
    if len(recorder.failures) < BATCH:
        recorder.failures[f"{entry.partition}/{entry.entry_id}"] = reason


def _claim(recorder: Recorder, idle_ms: int) -> None:
    """Take over what has lain unacknowledged for too long; what failed too often goes to the dead letters."""
    for partition in range(conf().partitions):
        entries = stream.claim_idle(partition=partition, consumer=recorder.consumer, idle_ms=idle_ms, count=BATCH)
        if not entries:
            continue
        deliveries = stream.deliveries(partition=partition, entry_ids=[entry.entry_id for entry in entries])
        record(recorder, entries)
        for entry in entries:
            tries = deliveries.get(entry.entry_id, 0)
            reason = recorder.failures.pop(f"{partition}/{entry.entry_id}", None)
            if reason is not None and tries > MAX_DELIVERIES:
                recording.bury(entry, error=reason, deliveries=tries)
                stream.acknowledge([entry])
                log.error("cart_event_buried", extra={"partition": partition, "entry": entry.entry_id})


def _keep_house(recorder: Recorder) -> None:
    """Trim the streams behind what is recorded, forget dead recorders, and give a sign of life."""
    waiting, oldest_ms = 0, 0
    for partition in range(conf().partitions):
        stream.trim(partition)
        length, first_ms = stream.backlog(partition)
        waiting += length
        if first_ms:
            oldest_ms = min(oldest_ms or first_ms, first_ms)
        stream.drop_consumers(partition=partition, idle_ms=FORGET_MS)
    now = to_micros(clock.now())
    age = max(0.0, now / 1_000_000 - oldest_ms / 1_000) if oldest_ms else 0.0
    try:
        signs.give_sign(Sign(now, waiting, round(age, 3)))
        if recorder.stale:
            stale, recorder.stale = recorder.stale, 0
            signs.count_stale(stale)
    except CartsUnavailableError:
        # A full server still lets us read, acknowledge and trim, which is what makes room; it alone takes no sign.
        log.warning("recorder_gave_no_sign")
