"""PostgreSQL: plain SQL, transactions that repeat themselves after a deadlock, and failures by name."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections, transaction
from django.db.backends.utils import CursorDebugWrapper
from django.db.models import Model

from shop.core.errors import BusyError, UnavailableError

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Model)

TRIES = 3
FIRST_PAUSE_SECONDS = 0.05
BUSY_RETRY_SECONDS = 3
DOWN_RETRY_SECONDS = 5

SERIALIZATION_FAILURE = "40001"
DEADLOCK_DETECTED = "40P01"
LOCK_NOT_AVAILABLE = "55P03"
EXCLUSION_VIOLATION = "23P01"


def rows(sql: str, params: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows. SQL is always a constant; values travel as parameters."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def array_text(values: Iterable[int | bool | str | datetime]) -> str:
    """Write values as the text of an array, for `%s::bigint[]` and its like.

    The driver writes a list value by value; for the thousands of a batch this takes a tenth of its time.
    """
    items = list(values)
    if not items or isinstance(items[0], int):
        return "{" + ",".join(map(str, items)) + "}"
    texts = [item if type(item) is str else str(item) for item in items]
    joined = "".join(texts)
    if '"' not in joined and "\\" not in joined:
        return '{"' + '","'.join(texts) + '"}'
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in texts)
    return '{"' + '","'.join(quoted) + '"}'


class _LoggedCursor(CursorDebugWrapper):
    """Logs a statement as it is written: what is prepared has no text with its values in it."""

    def debug_sql(
        self,
        sql: str | None = None,
        params: Any = None,  # noqa: ANN401 - Django's
        use_last_executed_query: bool = False,  # noqa: FBT001, FBT002 - Django's
        many: bool = False,  # noqa: FBT001, FBT002 - Django's
    ) -> AbstractContextManager[None]:
        """Log `sql`."""
        return super().debug_sql(sql, params, use_last_executed_query=False, many=many)


def prepared(
    sql: str, params: Mapping[str, Any] | Sequence[Any] = (), *, is_binary: bool = False
) -> list[tuple[Any, ...]]:
    """Run one hot read as `rows` does, but let PostgreSQL keep its plan.

    Django writes values into the text of a statement, so that each is planned anew. Here they travel beside it, and
    what a connection runs again and again is prepared (`DATABASES`: not behind PgBouncer). JSONB comes as text.

    With `is_binary` nothing is written as text on its way here, which for thousands of rows with a time in each takes
    a tenth of the driver's time; JSONB then comes as what it holds.
    """
    own = connections[DEFAULT_DB_ALIAS]  # once: `connection` looks for the thread's own with each use
    own.ensure_connection()
    with own.wrap_database_errors:
        bare: Any = psycopg.Cursor(own.connection)
        bare.format = psycopg.pq.Format(is_binary)
    with _LoggedCursor(bare, own) if own.queries_logged else own.make_cursor(bare) as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def columns_of(model: type[Model], alias: str) -> str:
    """List all columns of a table that a statement calls `alias`, in the order that `instance_of` reads."""
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)  # noqa: SLF001 - documented


def instance_of(model: type[M], values: Sequence[Any]) -> M:
    """Make an instance of a row of `columns_of`, as the ORM does, of what `prepared` or `rows` gave."""
    names, converters = _shape(model)
    read = list(values)
    for position, convert in converters:
        read[position] = convert(read[position], None, connection)
    return model.from_db(connection.alias, names, read)


def values_of(row: Model) -> dict[str, Any]:
    """Give what the columns of an instance are to hold, as parameters by the columns' names."""
    fields = row._meta.concrete_fields  # noqa: SLF001 - documented
    return {str(field.column): field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields}


@functools.cache
def _shape(model: type[Model]) -> tuple[list[str], tuple[tuple[int, Any], ...]]:
    fields = model._meta.concrete_fields  # noqa: SLF001 - documented
    converters = tuple((n, field.from_db_value) for n, field in enumerate(fields) if hasattr(field, "from_db_value"))
    return [field.attname for field in fields], converters


def sqlstate(error: BaseException) -> str:
    """Tell PostgreSQL's five-character code of a database error, empty when there is none (no answer at all)."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def retrying(effect: Callable[P, T]) -> Callable[P, T]:
    """Make `effect` one outermost transaction that is run again, whole, on a deadlock or serialization failure.

    At most three tries, with full jitter between them. What `effect` does besides SQL happens again with each try,
    so mail, Redis and the payment provider stay outside.

    :raises RuntimeError: if the caller is inside a transaction already: only the outermost one can be repeated.
    :raises UnavailableError: if the last try failed like the ones before.
    """

    @functools.wraps(effect)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        def attempt() -> T:
            with transaction.atomic(durable=True):
                return effect(*args, **kwargs)

        return _repeated(attempt)

    return wrapper


def _repeated(attempt: Callable[[], T]) -> T:
    number = 1
    while True:
        try:
            return attempt()
        except OperationalError as error:
            if sqlstate(error) not in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED):
                raise
            if number == TRIES:
                raise UnavailableError(retry_after_seconds=1) from error
        time.sleep(random.uniform(0, FIRST_PAUSE_SECONDS * 2**number))  # noqa: S311 - spreads rivals, keeps no secret
        number += 1


def statement(
    sql: str, params: Mapping[str, Any] | Sequence[Any] = (), *, keeps_plan: bool = False
) -> list[tuple[Any, ...]]:
    """Run one statement that is a whole change of its own, and return its rows.

    Inside a transaction it is part of that. Alone it commits by itself, without a round trip while its locks are held,
    and is run again on a deadlock or serialization failure (at most three tries). With `keeps_plan` it is `prepared`:
    planning a long statement can cost more than running it.

    :raises UnavailableError: if the last try failed like the ones before.
    """
    run = prepared if keeps_plan else rows
    if connection.in_atomic_block:
        return run(sql, params)
    return _repeated(lambda: run(sql, params))


@contextmanager
def failures_named(busy: type[BusyError] = BusyError) -> Iterator[None]:
    """Turn a lock that was not to be had into `busy`, and a database that cannot answer into `UnavailableError`.

    A deadlock passes through: `retrying`, further out, knows what to do with it.

    :raises BusyError: (the class given) if `lock_timeout` ended a wait.
    :raises UnavailableError: if PostgreSQL is down, out of connections or disk, or the statement took too long.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        state = sqlstate(error)
        if state in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED):
            raise
        if state == LOCK_NOT_AVAILABLE:
            raise busy(retry_after_seconds=BUSY_RETRY_SECONDS) from error
        raise UnavailableError(retry_after_seconds=DOWN_RETRY_SECONDS) from error
