"""A long search reads one batch while it writes the one before: nothing is lost, found twice, or left open."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from notifications import services
from notifications.models import Abandonment, Campaign, Cursor, Message, SkipCount
from notifications.services import enrolling
from shop.core import clock
from tests.checkout.helpers import make_sku
from tests.notifications.carts import leave_cart, make_campaign, make_customer
from tests.races.rivals import held_open
from tests.waiting import wait_until

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

CARTS, BATCH = 9, 2


@pytest.fixture(autouse=True)
def carts(settings: Settings) -> Campaign:
    """Let nine customers have left carts, of which a search takes two at once."""
    settings.NOTIFICATIONS = replace(settings.NOTIFICATIONS, batch=BATCH)
    make_sku()
    for hours in range(CARTS, 0, -1):
        leave_cart(make_customer(), hours=hours + 1)
    return make_campaign()


def sessions() -> int:
    """Count the sessions of this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def found() -> list[int]:
    """List the carts that were enrolled, in order of their last activity."""
    return list(Abandonment.objects.order_by("abandoned_at").values_list("cart_record_id", flat=True))


def test_each_cart_is_enrolled_once_by_a_thread_that_leaves_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    true_write, threads = enrolling.write, []

    def write(batch: enrolling.Batch) -> int | None:
        threads.append(threading.current_thread().name.partition("_")[0])
        return true_write(batch)

    monkeypatch.setattr(enrolling, "write", write)
    before = sessions()
    assert services.detect(now=clock.now()) == CARTS
    assert Abandonment.objects.count() == Message.objects.count() == CARTS
    assert threads == ["enrolling"] * 4 + ["MainThread"], "the last batch is not full"
    wait_until(lambda: sessions() == before, "the thread's session is over")
    assert services.detect(now=clock.now()) == 0


def test_few_carts_need_no_thread(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.NOTIFICATIONS = replace(settings.NOTIFICATIONS, batch=CARTS + 1)
    monkeypatch.setattr(enrolling, "ThreadPoolExecutor", None)
    assert services.detect(now=clock.now()) == CARTS


def fail_in_batch(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the writing of one batch fail after its rows."""
    true_insert, batches = enrolling._insert, iter(range(1, CARTS))

    def insert(*given: Any) -> int:
        made = int(true_insert(*given))
        if next(batches) == number:
            raise ValueError("a batch that fails")
        return made

    monkeypatch.setattr(enrolling, "_insert", insert)


def test_when_a_batch_fails_the_search_says_so_and_the_next_one_goes_on_behind_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_in_batch(monkeypatch, 2)
    with pytest.raises(ValueError, match="a batch that fails"):
        services.detect(now=clock.now())
    assert len(found()) == BATCH
    last = Abandonment.objects.order_by("-abandoned_at")[0]
    place = Cursor.objects.get(key__startswith="idle:")
    assert (place.position_at, place.position_id) == (last.abandoned_at, last.cart_record_id)
    assert services.detect(now=clock.now()) == CARTS - BATCH
    assert len(set(found())) == CARTS


def test_twin_whose_cursor_moves_with_what_was_read_loses_the_batch_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true_put = enrolling.Writer.put

    def put(writer: enrolling.Writer, batch: enrolling.Batch, *, is_last: bool) -> None:
        Cursor.objects.update_or_create(
            key=batch.key, defaults={"position_at": batch.place[0], "position_id": batch.place[1]}
        )
        true_put(writer, batch, is_last=is_last)

    monkeypatch.setattr(enrolling.Writer, "put", put)
    fail_in_batch(monkeypatch, 2)
    with pytest.raises(ValueError, match="a batch that fails"):
        services.detect(now=clock.now())
    assert services.detect(now=clock.now()) < CARTS - BATCH


def test_while_another_process_writes_for_the_campaign_a_search_ends(carts: Campaign) -> None:
    def take_the_lock() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [enrolling._LOCK, carts.pk])

    with held_open(take_the_lock):
        assert services.detect(now=clock.now()) == 0
    assert services.detect(now=clock.now()) == CARTS


def test_who_is_left_alone_is_counted_once_by_two_who_read_the_same(carts: Campaign) -> None:
    batch = enrolling.Batch(
        campaign_id=carts.pk,
        now=clock.now(),
        kept=None,
        skipped={"opted_out": 3},
        key=f"idle:{carts.pk}",
        place=(clock.now(), 7),
    )
    assert [enrolling.write(batch) for _ in range(2)] == [0, 0]
    assert SkipCount.objects.get().count == 3
