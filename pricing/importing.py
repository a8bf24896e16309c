"""Read a CSV of prices: every row checked, every mistake told with its row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from babel.numbers import get_currency_precision, list_currencies

from pricing.types import NewPrice
from shop.core.clock import is_tellable

COLUMNS = ("sku_id", "price", "currency", "segment", "valid_from", "valid_until")
MOST_ROWS = 1_000
MOST_MINOR = 100_000_000
_SEGMENT = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and in which row of the file (the heading is row 1; 0: the file as a whole)."""

    row: int
    code: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """All prices of a file with their rows, and all mistakes."""

    prices: tuple[tuple[int, NewPrice], ...] = ()
    problems: tuple[Problem, ...] = ()


def read_prices(
    text: str, *, currency: str, now: datetime, find_known: Callable[[Collection[str]], Collection[str]]
) -> Sheet:
    """Read a sheet with the columns `sku_id` and `price` (such as 14.00), and any other of `COLUMNS`.

    Empty cells: the shop's `currency`, everybody, from `now`, without an end. Times name their zone.
    `find_known` tells which of all SKUs in the file there are; it is asked once.
    """
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        if not set(COLUMNS[:2]) <= set(names) <= set(COLUMNS) or len(set(names)) < len(names):
            return Sheet(problems=(Problem(1, "columns"),))
        reader.fieldnames = names
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        return Sheet(problems=(Problem(0, "unreadable", str(error)),))
    if not lines or len(lines) > MOST_ROWS:
        return Sheet(problems=(Problem(0, "rows", str(MOST_ROWS)),))
    known = frozenset(find_known({str(line.get("sku_id") or "").strip() for _, line in lines}))
    prices: list[tuple[int, NewPrice]] = []
    problems: list[Problem] = []
    seen: set[tuple[object, ...]] = set()
    for number, line in lines:
        price = _read(number, line, known, problems, currency=currency, now=now)
        if price is None:
            continue
        key = (price.sku_id, price.currency, price.segment, price.valid_from)
        if key in seen:
            problems.append(Problem(number, "twice", price.sku_id))
        seen.add(key)
        prices.append((number, price))
    return Sheet(tuple(prices), tuple(problems))


def _read(
    number: int,
    line: Mapping[str, str | None],
    known: frozenset[str],
    problems: list[Problem],
    *,
    currency: str,
    now: datetime,
) -> NewPrice | None:
    cells = {name: str(line.get(name) or "").strip() for name in COLUMNS}
    found: list[Problem] = []
    if None in line:
        found.append(Problem(number, "cells"))
    if cells["sku_id"] not in known:
        found.append(Problem(number, "sku_unknown", cells["sku_id"][:64]))
    code = cells["currency"] or currency
    if code not in list_currencies():
        found.append(Problem(number, "currency", code[:10]))
        code = currency
    minor = _minor(cells["price"], code)
    if minor is None:
        found.append(Problem(number, "price", cells["price"][:20]))
    begins = _moment(cells["valid_from"]) if cells["valid_from"] else now
    ends = _moment(cells["valid_until"]) if cells["valid_until"] else None
    for name, moment in (("valid_from", begins), ("valid_until", ends)):
        if cells[name] and moment is None:
            found.append(Problem(number, "moment", cells[name][:40]))
    if begins and ends and ends <= begins:
        found.append(Problem(number, "ends"))
    if len(cells["segment"]) > _SEGMENT:
        found.append(Problem(number, "segment", cells["segment"][:_SEGMENT]))
    problems.extend(found)
    if found or minor is None or begins is None:
        return None
    return NewPrice(cells["sku_id"], minor, code, cells["segment"], begins, ends)


def _minor(text: str, currency: str) -> int | None:
    """Read an amount in major units, with a point; no more digits than the currency has."""
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        return None
    try:
        minor = Decimal(text).scaleb(get_currency_precision(currency))
    except InvalidOperation:
        return None
    return int(minor) if minor == minor.to_integral_value() and 0 < minor <= MOST_MINOR else None


def _moment(text: str) -> datetime | None:
    """Read a time with its zone; one that a person can mean, or it could not be told in every zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo and is_tellable(moment) else None
