"""Transactions that repeat themselves, and failures by name."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from inventory.models import StockItem
from shop.core import db
from shop.core.errors import BusyError, UnavailableError
from tests.races.rivals import held_open, meet
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


class GateBusyError(BusyError):
    """A busy answer of the caller's choice."""


def raise_in_sql(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")


def take(sku_id: str) -> None:
    StockItem.objects.select_for_update().get(pk=sku_id)


def test_of_two_transactions_in_a_ring_both_come_through() -> None:
    StockItem.objects.bulk_create([StockItem(sku_id="A", on_hand=9), StockItem(sku_id="B", on_hand=9)])
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def act(number: int) -> str:
        first, second = ("A", "B") if number else ("B", "A")
        is_first_try = [True]

        @db.retrying
        def transfer() -> str:
            tries.append(number)
            take(first)
            if is_first_try.pop() if is_first_try else False:
                both_hold_one.wait(PATIENCE_SECONDS)
            take(second)
            StockItem.objects.filter(pk=first).update(on_hand=8)
            return "done"

        return transfer()

    assert meet(2, act) == ["done", "done"]
    assert len(tries) == 3


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_the_whole_transaction_is_tried_three_times(state: str) -> None:
    tries: list[int] = []

    @db.retrying
    def never() -> None:
        tries.append(StockItem.objects.count())
        StockItem.objects.create(sku_id=f"TRY-{len(tries)}")
        raise_in_sql(state)

    with pytest.raises(UnavailableError) as refused:
        never()

    assert tries == [0, 0, 0]
    assert refused.value.retry_after_seconds == 1


def test_what_succeeds_at_the_second_try_has_happened_once() -> None:
    tries: list[str] = []

    @db.retrying
    def second_time_lucky() -> str:
        tries.append("try")
        StockItem.objects.create(sku_id="ONCE")
        if len(tries) == 1:
            raise_in_sql("40P01")
        return "done"

    assert second_time_lucky() == "done"
    assert StockItem.objects.count() == 1


def test_twin_tried_once_it_has_not_happened_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "TRIES", 1)
    with pytest.raises(UnavailableError):
        test_what_succeeds_at_the_second_try_has_happened_once()
    assert not StockItem.objects.exists()


def test_other_errors_are_not_tried_again() -> None:
    tries: list[str] = []

    @db.retrying
    def fail() -> None:
        tries.append("try")
        raise_in_sql("55P03")

    with pytest.raises(OperationalError):
        fail()

    assert tries == ["try"]


def test_only_the_outermost_transaction_is_repeated() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        db.retrying(lambda: None)()


def test_a_statement_alone_commits_and_inside_a_transaction_does_not() -> None:
    insert = "INSERT INTO inventory_stockitem (sku_id, on_hand, reserved) VALUES (%s, 1, 0) RETURNING sku_id"

    assert db.statement(insert, ["ALONE"]) == [("ALONE",)]
    with transaction.atomic():
        db.statement(insert, ["INSIDE"])
        transaction.set_rollback(True)

    assert list(StockItem.objects.values_list("pk", flat=True)) == ["ALONE"]


@pytest.mark.parametrize(
    ("state", "named"),
    [("55P03", GateBusyError), ("57014", UnavailableError), ("53300", UnavailableError), ("53100", UnavailableError)],
)
def test_failures_have_names(state: str, named: type[Exception]) -> None:
    with pytest.raises(named) as refused, db.failures_named(GateBusyError):
        raise_in_sql(state)

    assert type(refused.value) is named
    assert refused.value.retry_after_seconds  # type: ignore[attr-defined]  # each of them is a refusal


def test_a_deadlock_passes_through_to_who_repeats() -> None:
    with pytest.raises(OperationalError), db.failures_named():
        raise_in_sql("40P01")


def test_a_connection_that_the_server_closed_is_an_unavailable_answer_and_then_replaced() -> None:
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def end_the_others_session() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    with held_open(end_the_others_session), pytest.raises(UnavailableError), db.failures_named():
        db.rows("SELECT 1")

    connection.close_if_unusable_or_obsolete()
    assert StockItem.objects.count() == 0


def test_an_array_written_as_text_reads_back_as_it_was() -> None:
    now = datetime(2026, 11, 26, 9, 30, 0, 123_456, tzinfo=UTC)
    texts = ["GBP", 'a"b', "back\\slash", "{1,2}", "", "NULL", "it's"]
    read = db.rows(
        "SELECT %s::bigint[], %s::bigint[], %s::boolean[], %s::timestamptz[], %s::text[]",
        [db.array_text(x) for x in ([], [1, -(2**62)], [True, False], [now], texts)],
    )
    assert read == [([], [1, -(2**62)], [True, False], [now], texts)]


def test_what_comes_as_the_server_keeps_it_is_the_same_and_json_is_read() -> None:
    now = datetime(2026, 11, 26, 9, 30, 0, 123_456, tzinfo=UTC)
    sql = "SELECT %(number)s::bigint, unnest(%(times)b::timestamptz[]), %(text)s::text, true, NULL::bigint"
    asked = {"number": 2**62, "times": [now, now + timedelta(microseconds=1)], "text": "GBP"}
    binary = db.prepared(sql, asked, is_binary=True)
    assert binary == db.prepared(sql, asked)
    assert binary == [(2**62, at, "GBP", True, None) for at in asked["times"]]  # type: ignore[attr-defined]
    assert db.prepared("SELECT '{\"a\": 1}'::jsonb", is_binary=True) == [({"a": 1},)]
    assert db.prepared("SELECT '{\"a\": 1}'::jsonb") == [('{"a": 1}',)]


def test_the_plan_of_a_hot_read_is_kept_from_the_sixth_time_on() -> None:
    sql = "SELECT sku_id FROM inventory_stockitem WHERE sku_id = ANY(%(sku_ids)s::text[]) AND on_hand > %(least)s"
    for least in range(9):
        db.prepared(sql, {"sku_ids": ["A"], "least": least})
    plans = db.rows("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", ["%$2%"])
    assert plans == [(4, 0)]
