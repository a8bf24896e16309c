"""Read a CSV of stock adjustments: every row checked, every mistake told with its row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from inventory.types import StockReason

COLUMNS = ("sku_id", "change", "reason", "note", "location")
MOST_ROWS = 1_000
"""All rows are booked in one transaction: more would keep shoppers waiting."""
MOST_BYTES = 500_000
NOTE_MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and in which row of the file (the heading is row 1; 0: the file as a whole)."""

    row: int
    code: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One adjustment and the row it came from."""

    row: int
    sku_id: str
    delta: int
    reason: StockReason
    note: str
    location: str = ""
    """A location's code; empty: the first one, or the shop has none."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """All rows of a file, in the order in which stock is locked, and all mistakes."""

    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_sheet(
    text: str, *, find_known: Callable[[Collection[str]], Collection[str]], locations: Collection[str] = ()
) -> Sheet:
    """Read a sheet with the columns `sku_id`, `change`, `reason` and, if wanted, `note` and `location`.

    `find_known` tells which of all SKUs in the file there are; it is asked once. `locations` are the codes of those
    that are open.

    Differences only: a file written before a sale cannot undo it.
    """
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        if not set(COLUMNS[:3]) <= set(names):
            return Sheet(problems=(Problem(1, "columns"),))
        reader.fieldnames = names
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        return Sheet(problems=(Problem(0, "unreadable", str(error)),))
    if not lines or len(lines) > MOST_ROWS:
        return Sheet(problems=(Problem(0, "rows", str(MOST_ROWS)),))
    known = frozenset(find_known({str(line.get("sku_id") or "").strip() for _, line in lines}))
    rows: list[Row] = []
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    for number, line in lines:
        row = _read(number, line, known, locations, problems)
        if row is not None and (row.sku_id, row.location) in seen:
            problems.append(Problem(number, "twice", row.sku_id))
        elif row is not None:
            seen.add((row.sku_id, row.location))
            rows.append(row)
    return Sheet(rows=tuple(sorted(rows, key=lambda row: (row.sku_id, row.location))), problems=tuple(problems))


def _read(
    number: int,
    line: Mapping[str, str | None],
    known: frozenset[str],
    locations: Collection[str],
    problems: list[Problem],
) -> Row | None:
    cells = {name: str(line.get(name) or "").strip() for name in COLUMNS}
    found: list[Problem] = []
    if cells["sku_id"] not in known:
        found.append(Problem(number, "sku_unknown", cells["sku_id"][:64]))
    try:
        delta = int(cells["change"])
    except ValueError:
        delta = 0
    if not delta or abs(delta) > 1_000_000_000:  # noqa: PLR2004 - the most that can be on hand
        found.append(Problem(number, "change", cells["change"][:20]))
    reasons = {reason.value: reason for reason in StockReason if reason is not StockReason.SALE}
    if cells["reason"] not in reasons:
        found.append(Problem(number, "reason", cells["reason"][:20]))
    if len(cells["note"]) > NOTE_MAX_LENGTH:
        found.append(Problem(number, "note"))
    if cells["location"] and cells["location"] not in locations:
        found.append(Problem(number, "location", cells["location"][:20]))
    problems.extend(found)
    if found:
        return None
    return Row(number, cells["sku_id"], delta, reasons[cells["reason"]], cells["note"], cells["location"])
