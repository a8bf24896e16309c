"""Writing through to PostgreSQL."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from cart import comparing, keys, recorder, recording, selectors, services, store, stream
from cart.models import CartEvent, CartRecord, DeadLetter
from cart.types import CartRef
from shop.core.errors import UnavailableError
from tests.cart.helpers import NOW, customer, make_sku, new_guest, quantities

pytestmark = pytest.mark.django_db


def _record(ref: CartRef) -> CartRecord:
    return CartRecord.objects.exclude(state="converted").get(owner=ref.owner)


def test_a_change_reaches_the_record_with_its_lines_saved_list_and_times() -> None:
    make_sku("A", price=1_000)
    make_sku("B")
    ref = customer(7)
    services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW)
    services.set_saved_quantity(ref=ref, sku_id="B", quantity=3, now=NOW)
    cart = selectors.get_cart(ref=ref)

    assert recorder.drain() == 2

    record = _record(ref)
    assert (record.user_id, record.version, record.content_version) == (7, cart.version, cart.content_version)
    assert (record.units, record.value_minor, record.currency, record.state) == (2, 2_000, "GBP", "active")
    assert record.last_activity_at == cart.updated_at
    assert [(row["sku_id"], row["quantity"], row["price_at_add"]) for row in record.lines] == [("A", 2, 1_000)]
    assert [row["sku_id"] for row in record.saved] == ["B"]


def test_a_batch_is_one_statement_for_the_carts_and_one_for_their_history_however_many() -> None:
    make_sku()
    for user_id in range(30):
        services.add_line(ref=customer(user_id), sku_id="MUG", quantity=1, now=NOW)
    stream.make_groups()
    entries = stream.read_new(consumer="one", count=200)
    with CaptureQueriesContext(connection) as queries:
        recorder.record(recorder.Recorder("one", lambda: False), entries)
    assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) == 2
    assert CartRecord.objects.count() == 30


@pytest.mark.django_db(transaction=True)  # the recorder gives its connection back now and then
def test_the_recorder_gathers_what_comes_one_by_one_and_hurries_after_a_full_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, "BATCH", 3)
    make_sku()
    for user_id in (1, 2, 3, 1, 2, 3, 1):
        services.add_line(ref=customer(user_id), sku_id="MUG", quantity=1, now=NOW)
    happened: list[str] = []
    real = stream.read_new

    def read_new(**how: Any) -> list[stream.Entry]:
        entries = real(**how)
        happened.append(f"read {len(entries)}")
        return entries

    def sleep(_: float) -> None:
        happened.append("waited")
        services.add_line(ref=customer(9), sku_id="MUG", quantity=1, now=NOW)

    def should_stop() -> bool:
        return happened.count("waited") > 1

    monkeypatch.setattr(stream, "read_new", read_new)
    recorder.run(should_stop=should_stop, sleep=sleep)

    # How many come with a read depends on how many servers are asked; a wait follows what is less than a batch.
    numbers = [int(what.removeprefix("read ")) for what in happened if what != "waited"]
    expected = [what for number in numbers for what in (f"read {number}", *(["waited"] if number < 3 else []))]
    assert happened == expected
    assert numbers[0] >= 3
    assert sum(numbers) == 8
    assert CartRecord.objects.count() == 4


def test_while_postgresql_is_away_the_recorder_tries_again_more_and_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_sku()
    services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    slept: list[float] = []
    real = recorder.record

    def record(mine: recorder.Recorder, entries: Sequence[stream.Entry]) -> None:
        if len(slept) < 8:
            raise OperationalError
        real(mine, entries)

    monkeypatch.setattr(recorder, "record", record)
    monkeypatch.setattr(recorder, "close_old_connections", lambda: None)  # the test is one transaction
    monkeypatch.setattr(time, "sleep", slept.append)
    recorder.run(should_stop=CartRecord.objects.exists, sleep=lambda _: None)

    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_a_crash_between_commit_and_acknowledgement_repeats_a_no_op(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)

    def die(entries: Sequence[stream.Entry]) -> None:
        raise UnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(stream, "acknowledge", die)
        with pytest.raises(UnavailableError):
            recorder.drain()
    before = CartRecord.objects.values().get()

    recorder.drain(idle_ms=0)

    assert CartRecord.objects.values().get() == before
    assert stream.backlog(keys.partition(ref.owner)) == (0, 0)


def test_an_older_snapshot_never_replaces_a_newer_one() -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    stream.make_groups()
    old = stream.read_new(consumer="frozen", count=10)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()

    late = recorder.Recorder("frozen", lambda: False)
    recorder.record(late, old)

    assert late.stale == 1
    assert _record(ref).units == 2


@pytest.mark.parametrize(
    "snapshot",
    [
        "{",
        "[]",
        json.dumps({"lines": {"MUG": "x"}, "saved": {}, "marks": {}, "state": "active"}),
        json.dumps(
            {"lines": {"M\0G": "1 - - 1"}, "saved": {}, "marks": {}, "state": "active"}
            | {"content_version": "1", "last_activity_at": "1"}
        ),
        json.dumps(
            {"lines": {"MUG": "99999999999999 - - 1"}, "saved": {}, "marks": {}, "state": "active"}
            | {"content_version": "1", "last_activity_at": "1"}
        ),
        "x" * 1_000_000,
    ],
)
def test_poison_goes_to_the_dead_letters_and_its_neighbours_are_recorded(
    cart_redis: redis.Redis, snapshot: str
) -> None:
    make_sku()
    ref = customer()
    name = keys.events(keys.partition(ref.owner))
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    cart_redis.xadd(name, {"owner": "u:1", "version": "1", "snapshot": snapshot, "reason": "poison"})
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)

    recorder.drain()
    assert _record(ref).units == 2
    assert not DeadLetter.objects.exists()
    for _ in range(recorder.MAX_DELIVERIES):
        recorder.drain(idle_ms=0)

    letter = DeadLetter.objects.get()
    assert letter.owner == "u:1"
    assert letter.deliveries > recorder.MAX_DELIVERIES
    assert len(letter.fields) <= recording.MAX_KEPT_CHARACTERS
    recorder.drain()
    assert cart_redis.xlen(name) == 0


def test_poison_that_is_never_buried_would_hold_up_the_trimming(
    cart_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: the stream grows behind it for good."""
    monkeypatch.setattr(recorder, "MAX_DELIVERIES", 1_000_000)
    make_sku()
    ref = customer()
    name = keys.events(keys.partition(ref.owner))
    cart_redis.xadd(name, {"owner": "u:1", "version": "1", "snapshot": "{", "reason": "poison"})
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    for _ in range(7):
        recorder.drain(idle_ms=0)

    assert not DeadLetter.objects.exists()
    assert cart_redis.xlen(name) == 2


def test_a_lost_group_is_made_again_from_the_first_entry(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    recorder.drain()
    cart_redis.flushdb()
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)

    assert len(stream.read_new(consumer="one", count=10)) == 1


def test_a_group_made_at_the_end_would_pass_over_what_came_before_it(cart_redis: redis.Redis) -> None:
    """The twin."""
    make_sku()
    ref = customer()
    recorder.drain()
    cart_redis.flushdb()
    services.add_line(ref=ref, sku_id="MUG", quantity=3, now=NOW)
    cart_redis.xgroup_create(keys.events(keys.partition(ref.owner)), stream.GROUP, id="$")
    stream.make_groups()

    assert stream.read_new(consumer="one", count=10) == []


def test_streams_are_trimmed_behind_what_is_acknowledged_only(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    partition = keys.partition(ref.owner)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    read = stream.read_new(consumer="slow", count=10)
    stream.acknowledge(read[1:])

    stream.trim(partition)

    assert cart_redis.xlen(keys.events(partition)) == 2
    stream.acknowledge(read[:1])
    stream.trim(partition)
    assert cart_redis.xlen(keys.events(partition)) == 0


def test_carts_come_back_after_redis_lost_everything(cart_redis: redis.Redis) -> None:
    make_sku("A")
    make_sku("B")
    ref = new_guest()
    services.change_lines(ref=ref, changes=[], now=NOW)
    services.add_line(ref=ref, sku_id="A", quantity=2, now=NOW)
    services.save_line(ref=ref, sku_id="A", quantity=1, now=NOW)
    before = selectors.get_cart_and_saved(ref=ref)
    recorder.drain()
    cart_redis.flushdb()

    assert selectors.get_cart_and_saved(ref=ref) == before

    cart_redis.flushdb()
    change = services.add_line(ref=ref, sku_id="B", quantity=1, now=NOW)
    assert quantities(change.cart) == {"A": 1, "B": 1}
    assert change.cart.version > before[0].version
    recorder.drain()
    assert _record(ref).units == 2


def _restored_over_a_rival(
    monkeypatch: pytest.MonkeyPatch, cart_redis: redis.Redis, *, is_guarded: bool
) -> dict[str, int]:
    """Read a cart that Redis lost, whose restoring meets another's change in between; tell what is in it."""
    make_sku("A")
    make_sku("B")
    ref = customer()
    services.add_line(ref=ref, sku_id="A", quantity=1, now=NOW)
    recorder.drain()
    cart_redis.flushdb()
    real = store.restore

    def rival(**arguments: object) -> bool:
        monkeypatch.setattr(store, "restore", real)
        services.add_line(ref=ref, sku_id="B", quantity=5, now=NOW)
        if not is_guarded:
            cart_redis.hdel(keys.cart(ref.owner), "@version")  # by which the script would know that it is newer
        return real(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "restore", rival)
    return quantities(selectors.get_cart(ref=ref))


def test_restoring_never_overwrites_what_was_added_meanwhile(
    monkeypatch: pytest.MonkeyPatch, cart_redis: redis.Redis
) -> None:
    assert _restored_over_a_rival(monkeypatch, cart_redis, is_guarded=True) == {"A": 1, "B": 5}


def test_restoring_without_looking_at_the_version_would_lose_it(
    monkeypatch: pytest.MonkeyPatch, cart_redis: redis.Redis
) -> None:
    """The twin."""
    assert _restored_over_a_rival(monkeypatch, cart_redis, is_guarded=False) == {"A": 1}


def test_a_missing_cart_asks_postgresql_once() -> None:
    ref = customer()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(5):
            assert selectors.get_cart(ref=ref).version == 0
    assert len(queries) == 1


def test_versions_grow_and_newer_records_win_when_redis_comes_back_older(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    old = cart_redis.hgetall(keys.cart(ref.owner))
    newer = services.add_line(ref=ref, sku_id="MUG", quantity=4, now=NOW).cart
    recorder.drain()
    cart_redis.delete(keys.cart(ref.owner))
    cart_redis.hset(keys.cart(ref.owner), mapping=dict(old))  # type: ignore[arg-type]  # texts, both

    assert comparing.compare() == 1

    assert selectors.get_cart(ref=ref) == newer
    later = services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW).cart
    assert later.version > newer.version
    recorder.drain()
    assert _record(ref).units == 6


def test_the_recorder_tells_how_it_is_doing() -> None:
    assert selectors.recorder_status().seen_at is None
    make_sku()
    services.add_line(ref=customer(), sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    status = selectors.recorder_status()
    assert status.seen_at is not None
    assert (status.waiting, status.oldest_seconds) == (0, 0.0)


def test_lines_can_be_analysed_in_sql() -> None:
    make_sku(price=900)
    services.add_line(ref=customer(3), sku_id="MUG", quantity=2, now=NOW)
    recorder.drain()
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id, list, sku_id, quantity, price_at_add_minor FROM cart_recordedline")
        assert cursor.fetchall() == [(3, "cart", "MUG", 2, 900)]


def test_every_change_is_kept_once_also_of_one_batch_and_of_a_repeated_one(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    for _ in range(3):
        services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    cart_redis.xgroup_destroy(keys.events(keys.partition(ref.owner)), stream.GROUP)
    services.remove_line(ref=ref, sku_id="MUG", now=NOW)
    recorder.drain()
    kept = list(CartEvent.objects.order_by("version").values_list("reason", "units", "value_minor", "quantities"))
    assert kept == [
        ("add", 1, 1_200, {"MUG": 1}),
        ("add", 2, 2_400, {"MUG": 2}),
        ("add", 3, 3_600, {"MUG": 3}),
        ("set", 0, 0, {}),
    ]


def test_the_history_is_kept_for_its_days_or_not_at_all(settings: Any) -> None:
    make_sku()
    ref = customer()
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    at = CartEvent.objects.get().at
    days = timedelta(days=settings.CART.history_days)
    assert services.prune_history(now=at + days) == 0
    assert services.prune_history(now=at + days + timedelta(seconds=1)) == 1
    settings.CART = replace(settings.CART, history_days=0)
    services.add_line(ref=ref, sku_id="MUG", quantity=1, now=NOW)
    recorder.drain()
    assert _record(ref).units == 2
    assert not CartEvent.objects.exists()


def test_an_older_file_that_knows_of_no_cart_does_not_hide_a_recorded_one(cart_redis: redis.Redis) -> None:
    make_sku()
    ref = customer()
    assert selectors.get_cart(ref=ref).version == 0
    services.add_line(ref=ref, sku_id="MUG", quantity=2, now=NOW)
    recorder.drain()
    # The file was written between the first look and the first change.
    cart_redis.delete(keys.cart(ref.owner))
    assert selectors.get_cart(ref=ref).version == 0
    comparing.compare()
    assert quantities(selectors.get_cart(ref=ref)) == {"MUG": 2}
