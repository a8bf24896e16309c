"""The cart page, put together from what its templates drew once.

What stands around the rows follows from a few yes and no of the page (`_Frame`), a row from its `Row`. Each is drawn
with marks in place of the numbers, words and secrets of one visitor (`{{ put.total }}`), cut at the marks and kept; a
page is then one join. Another price, stock, state or language is another piece, so nothing ever has to be purged.
While templates are being written (DEBUG) nothing is kept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext

from cart.web.present import CartPage, Gone, Row
from pricing import regions
from shop.core.templatetags.trolley import format_money, kept

# Nobody can write these into a title or a field: every process makes its own.
_NONCE = secrets.token_hex(12)
_MARK = re.compile(rf"{_NONCE}-(\w+)-".encode())

Drawn = tuple[bytes, ...]
"""What a template drew: text, the name of what goes there, text, and so on."""


class _Marks:
    """What a template reads whatever else goes into its place from: a mark for each name."""

    def __getitem__(self, name: str) -> SafeString:
        return mark_safe(f"{_NONCE}-{name}-")  # noqa: S308 - letters, digits, hyphens


_PUT = _Marks()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all around the rows follows from, but for numbers and words."""

    language: str
    languages: int
    region: str
    guest_storage: str
    is_error: bool
    is_guest: bool
    is_copy: bool
    is_unpriced: bool
    is_fragment: bool
    is_blocked: bool
    has_rows: bool
    has_entries: bool
    has_saved: bool
    has_saved_entries: bool
    is_whole: bool = True
    with_saved: bool = False

    @property
    def has_bar(self) -> bool:
        """Whether the total and the way to checkout also stand at the foot of a small screen."""
        return self.has_rows and not self.is_copy


def draw_page(request: HttpRequest, page: CartPage, *, is_error: bool = False) -> bytes:
    """Draw the whole page."""
    values = _values(request, page)
    values[b"header"] = kept("_header.html", units=page.units).encode()
    return _fill(_frame("cart/cart.html", _frame_of(page, is_error=is_error)), values)


def draw_change(
    request: HttpRequest, page: CartPage, entry: Row | Gone | None, *, with_saved: bool, live: str
) -> bytes:
    """Draw the answer to the page's script: `entry` and what depends on it; None: the whole cart.

    `live` is what the status line says.
    """
    values = _values(request, page, entry)
    values[b"live"] = _text(live)
    values[b"badge"] = kept("_badge.html", units=page.units).encode()
    return _fill(_frame("cart/_change.html", _frame_of(page, is_whole=entry is None, with_saved=with_saved)), values)


def _frame_of(page: CartPage, *, is_error: bool = False, is_whole: bool = True, with_saved: bool = False) -> _Frame:
    return _Frame(
        language=get_language() or "",
        languages=len(settings.LANGUAGES),
        region=regions.current().code if regions.are_many() else "",
        guest_storage=settings.CART.guest_storage,
        is_error=is_error,
        is_guest=page.is_guest,
        is_copy=page.is_copy,
        is_unpriced=page.is_unpriced,
        is_fragment=page.is_fragment,
        is_blocked=bool(page.blocked),
        has_rows=bool(page.rows),
        has_entries=bool(page.entries),
        has_saved=bool(page.saved),
        has_saved_entries=bool(page.saved_entries),
        is_whole=is_whole,
        with_saved=with_saved,
    )


def _values(request: HttpRequest, page: CartPage, entry: Row | Gone | None = None) -> dict[bytes, bytes]:
    """Make what goes into the places, for this visitor; with `entry`, only of a change to it."""
    values = {b"token": get_token(request).encode(), b"version": str(page.version).encode()}
    values[b"fields"] = _fill(_part("cart/_fields.html"), values)
    units = ngettext("%(counter)s item", "%(counter)s items", page.units) % {"counter": page.units}
    saved = ngettext(
        "You have %(counter)s item saved for later, below.",
        "You have %(counter)s items saved for later, below.",
        page.saved_count,
    ) % {"counter": page.saved_count}
    values |= {
        b"units": _text(page.units),
        b"units_words": _text(units),
        b"subtotal": _text(format_money(page.subtotal)),
        b"total": _text(format_money(page.total)),
        b"total_minor": _text(page.total.minor),
        b"currency": _text(page.total.currency),
        b"blocked": _text(page.blocked),
        b"reserve_minutes": _text(page.reserve_minutes),
        b"saved_count": _text(page.saved_count),
        b"saved_words": _text(saved),
        b"discounts": _fill(_part("cart/_discounts.html", discounts=page.discounts), values),
        b"codes": _codes(page, values),
        b"notices": _notices(page, values),
        b"saved_rows": _rows("cart/_saved_line.html", page.saved_entries, page, values),
    }
    if entry is None:
        values[b"rows"] = _rows("cart/_line.html", page.entries, page, values)
        # Asks for the checkout under way. The page belongs to a lower layer, so its template does.
        values[b"under_way"] = b"" if page.is_copy else _fill(_draw("cart/_under_way.html", request=request), values)
    else:
        values[b"entry"] = _rows("cart/_line.html", [entry], page, values)
    return values


def _text(words: object) -> bytes:
    return escape(words).encode()


def _codes(page: CartPage, values: Mapping[bytes, bytes]) -> bytes:
    shown = {"discounts": page.discounts, "code_error": page.code_error, "code_typed": page.code_typed}
    # What was typed stands on one page once: not worth a place.
    if page.code_error or page.code_typed:
        return _fill(_draw("cart/_codes.html", page=shown), values)
    return _fill(_part("cart/_codes.html", **shown), values)


def _notices(page: CartPage, values: Mapping[bytes, bytes]) -> bytes:
    has_any = page.refused or page.is_copy or page.is_locked or page.done or page.asked or page.receipt or page.digest
    if has_any:
        return _fill(_draw("cart/_notices.html", page=page), values)
    return _fill(_part("cart/_notices.html", is_fragment=page.is_fragment), values)


def _fill(drawn: Drawn, values: Mapping[bytes, bytes]) -> bytes:
    pieces = list(drawn)
    pieces[1::2] = [values[name] for name in drawn[1::2]]
    return b"".join(pieces)


def _rows(name: str, entries: Iterable[Row | Gone], page: CartPage, values: Mapping[bytes, bytes]) -> bytes:
    """Draw rows, and what stands in the place of one that went."""
    fields, is_copy, language = values[b"fields"], page.is_copy, get_language() or ""
    kept_row = _draw_row if settings.DEBUG else _kept_row
    drawn: list[bytes] = []
    for entry in entries:
        if entry.is_gone:
            drawn.append(_fill(_draw("cart/_gone.html", gone=entry), values))
            continue
        row = cast("Row", entry)
        # What was typed or said stands on one page once: not worth a place.
        is_passing = row.error or row.said or row.typed != str(row.quantity)
        drawn.append(fields.join((_draw_row if is_passing else kept_row)(name, row, is_copy, language)))
    return b"".join(drawn)


def _draw_row(name: str, row: Row, is_copy: bool, _language: str) -> Drawn:  # noqa: FBT001 - a key
    """Draw a row, cut where the fields that all of its forms send go, which is all that it leaves open."""
    return _draw(name, row=row, is_copy=is_copy)[::2]


def _draw(name: str, **context: object) -> Drawn:
    drawn = render_to_string(name, {**context, "put": _PUT, "csrf_token": _PUT["token"]})
    return tuple(_MARK.split(drawn.encode()))


def _draw_frame(name: str, frame: _Frame) -> Drawn:
    return _draw(name, page=frame, has_bar=frame.has_bar, is_error=frame.is_error)


def _draw_part(name: str, _language: str, context: tuple[tuple[str, object], ...]) -> Drawn:
    return _draw(name, page=dict(context))


def _frame(name: str, frame: _Frame) -> Drawn:
    return _draw_frame(name, frame) if settings.DEBUG else _kept_frame(name, frame)


def _part(name: str, **context: object) -> Drawn:
    """Draw a small part that follows from what its template reads of `page`."""
    key = (name, get_language() or "", tuple(context.items()))
    return _draw_part(*key) if settings.DEBUG else _kept_part(*key)


_kept_row = lru_cache(maxsize=2_000)(_draw_row)  # about 4 kB each
_kept_frame = lru_cache(maxsize=200)(_draw_frame)  # about 6 kB each
_kept_part = lru_cache(maxsize=500)(_draw_part)  # about 1 kB each
