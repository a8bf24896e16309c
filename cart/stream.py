"""The streams of cart events in Redis, as the recorder uses them. Nothing above knows Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from cart import keys, store
from cart.conf import conf
from shop.core import redis
from shop.core.redis import Client

GROUP = "recorder"
SIGN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as read: `fields` is None where the stream has lost it (trimmed, or deleted by an operator)."""

    partition: int
    entry_id: str
    fields: dict[str, str] | None


def _is_group_gone(error: ResponseError) -> bool:
    return str(error).startswith("NOGROUP")


def make_groups() -> None:
    """Make the group on every stream that lacks it, from the very first entry: nothing is passed over.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> None:
        for number in range(conf().partitions):
            try:
                client.xgroup_create(keys.events(number), GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    store.run(use)


def read_new(*, consumer: str, count: int) -> list[Entry]:
    """Read up to `count` events that no recorder has seen. On a cluster every stream is its own call.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    return _read(consumer=consumer, count=count, start=">")


def _read(*, consumer: str, count: int, start: str) -> list[Entry]:
    def use(client: Client) -> list[Entry]:
        names = [keys.events(number) for number in range(conf().partitions)]
        if not redis.is_cluster(client):
            # COUNT is a stream's; what is more than a batch waits for nobody else, so it is asked for evenly.
            answer: Any = client.xreadgroup(GROUP, consumer, dict.fromkeys(names, start), count=count)
            return _entries(answer)
        found: list[Entry] = []
        for name in names:
            found += _entries(client.xreadgroup(GROUP, consumer, {name: start}, count=count))
            if len(found) >= count:
                break
        return found

    try:
        return store.run(use)
    except ResponseError as error:
        if not _is_group_gone(error):
            raise
        make_groups()
        return store.run(use)


def _entries(answer: Any) -> list[Entry]:  # noqa: ANN401 - as the library gives it
    streams = answer.items() if isinstance(answer, dict) else answer or ()
    found: list[Entry] = []
    for name, batches in streams:
        number = int(name[name.index("{") + 1 : name.index("}")])
        # Newer protocol versions wrap a stream's entries in one more list.
        rows = batches[0] if batches and isinstance(batches[0], list) else batches
        found += [Entry(number, entry_id, fields) for entry_id, fields in rows]
    return found


def claim_idle(*, partition: int, consumer: str, idle_ms: int, count: int) -> list[Entry]:
    """Take over events that some recorder has read but not acknowledged for `idle_ms`.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    name = keys.events(partition)

    def use(client: Client) -> list[Entry]:
        answer: Any = client.xautoclaim(name, GROUP, consumer, idle_ms, "0-0", count=count)
        return [Entry(partition, entry_id, fields) for entry_id, fields in answer[1] if entry_id]

    try:
        return store.run(use)
    except ResponseError as error:
        if not _is_group_gone(error):
            raise
        return []


def deliveries(*, partition: int, entry_ids: Sequence[str]) -> dict[str, int]:
    """Tell how often each of these unacknowledged events was delivered.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    if not entry_ids:
        return {}
    name = keys.events(partition)

    def use(client: Client) -> dict[str, int]:
        found: dict[str, int] = {}
        for entry_id in entry_ids:
            rows: Any = client.xpending_range(name, GROUP, entry_id, entry_id, 1)
            found.update({row["message_id"]: row["times_delivered"] for row in rows})
        return found

    return store.run(use)


def acknowledge(entries: Sequence[Entry]) -> None:
    """Tell the streams that these events are recorded.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    by_stream: dict[str, list[str]] = {}
    for entry in entries:
        by_stream.setdefault(keys.events(entry.partition), []).append(entry.entry_id)

    def use(client: Client) -> None:
        pipeline = redis.pipeline(client)
        for name, ids in by_stream.items():
            pipeline.xack(name, GROUP, *ids)
        pipeline.execute()

    if by_stream:
        store.run(use)


def trim(partition: int) -> int:
    """Delete the events before the lowest one not yet acknowledged; tell how many. Never by length.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    name = keys.events(partition)

    def use(client: Client) -> int:
        for group in client.xinfo_groups(name):
            if group["name"] == GROUP:
                lowest = client.xpending(name, GROUP)["min"] if group["pending"] else None
                if lowest is None:
                    head, _, tail = group["last-delivered-id"].partition("-")
                    lowest = f"{head}-{int(tail) + 1}"
                return int(client.xtrim(name, minid=lowest, approximate=False))
        return 0

    try:
        return store.run(use)
    except ResponseError as error:
        if "no such key" not in str(error):
            raise
        return 0


def backlog(partition: int) -> tuple[int, int]:
    """Tell how many events of a stream are not recorded yet, and the time of the oldest in ms since 1970 (0: none).

    Right after `trim`, when whatever is left in the stream is not recorded.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    name = keys.events(partition)

    def use(client: Client) -> tuple[int, int]:
        pipeline = redis.pipeline(client)
        length, first = pipeline.xlen(name).xrange(name, count=1).execute()
        return int(length), int(first[0][0].partition("-")[0]) if first else 0

    return store.run(use)


def drop_consumers(*, partition: int, idle_ms: int) -> int:
    """Forget recorders that own nothing and have been silent for `idle_ms`; tell how many.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    name = keys.events(partition)

    def use(client: Client) -> int:
        dropped = 0
        for consumer in client.xinfo_consumers(name, GROUP):
            if not consumer["pending"] and consumer["idle"] > idle_ms:
                client.xgroup_delconsumer(name, GROUP, consumer["name"])
                dropped += 1
        return dropped

    try:
        return store.run(use)
    except ResponseError:
        return 0
