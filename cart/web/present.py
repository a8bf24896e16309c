"""The cart page as one value: everything the templates print, nothing that they would have to decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.urls import reverse
from django.utils.translation import gettext as _

from cart.conf import CartConf
from cart.types import Cart, CartLine, CartView, LineView
from cart.web import words
from cart.web.flash import Did
from cart.wording import notice_words
from pricing.types import Discount
from shop.catalog.types import SkuCard
from shop.core.money import Money
from shop.core.templatetags.trolley import dom_id

_FAR = 4
"""Rows from here on load their pictures lazily."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the cart or of the saved list."""

    index: int
    sku_id: str
    title: str
    """The SKU's own title: for messages and for labels that are only heard."""
    name: str
    """The product's title: the heading, with the options below it."""
    url: str
    image_url: str
    options: str
    quantity: int
    typed: str
    each: Money | None
    total: Money | None
    minus: int
    plus: int
    limit: str
    is_sold: bool
    is_far: bool
    stock: str
    fix: int
    """The quantity of the button that makes a short line buyable, 0 for no button."""
    price_words: str
    price_kind: str
    can_move: bool
    said: str = ""
    error: str = ""

    is_gone = False


@dataclass(frozen=True, slots=True)
class Gone:
    """Where a row was: what happened to it, and Undo."""

    words: str
    undo: str
    sku_id: str
    is_in_place: bool

    is_gone = True


@dataclass(frozen=True, slots=True)
class Done:
    """What the last action did, for the top of the page."""

    words: str
    undo: str
    sku_id: str
    told: tuple[str, ...] = ()
    """What the words are about, one by one."""


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """One thing that changed since the last visit; `href` leads to its row."""

    words: str
    href: str


@dataclass(frozen=True, slots=True)
class CartPage:
    """All of the page."""

    version: int
    rows: tuple[Row, ...]
    entries: tuple[Row | Gone, ...]
    saved: tuple[Row, ...]
    saved_entries: tuple[Row | Gone, ...]
    saved_count: int
    units: int
    subtotal: Money
    total: Money
    blocked: str
    digest: tuple[DigestEntry, ...]
    notice_ids: tuple[str, ...]
    receipt: tuple[str, ...]
    merge_undo: str
    is_guest: bool
    is_copy: bool
    is_locked: bool
    reserve_minutes: int
    discounts: tuple[Discount, ...]
    done: Done | None = None
    refused: str = ""
    is_fragment: bool = False
    asked: int = 0
    """How many lines a merge left to decide."""
    code_typed: str = ""
    code_error: str = ""
    is_unpriced: bool = False
    """PostgreSQL is away: the lines are those of Redis, their names and prices are not known."""

    def row(self, sku_id: str) -> Row | None:
        """Find the row of one SKU."""
        return next((row for row in self.rows if row.sku_id == sku_id), None)


def cart_page(
    view: CartView, *, conf: CartConf, reserve_seconds: int, receipt_cards: Mapping[str, SkuCard] | None = None
) -> CartPage:
    """Put a cart into the words and numbers of its page."""
    cart = view.cart
    rows = tuple(cart_row(line, index, limit=conf.max_quantity) for index, line in enumerate(view.lines))
    saved = tuple(
        cart_row(line, index, limit=conf.max_quantity, is_saved=True) for index, line in enumerate(view.saved)
    )
    cards = {line.sku_id: line.card for line in (*view.lines, *view.saved) if line.card} | dict(receipt_cards or {})
    return CartPage(
        version=cart.version,
        rows=rows,
        entries=rows,
        saved=saved,
        saved_entries=saved,
        saved_count=len(saved),
        units=cart.units,
        subtotal=view.subtotal,
        total=view.total,
        blocked=_blocked(view),
        digest=tuple(
            DigestEntry(notice_words(notice), f"#line-{dom_id(notice.sku_id)}" if notice.sku_id else "")
            for notice in view.notices
            if notice.kind != "merged"
        ),
        notice_ids=tuple(notice.notice_id for notice in view.notices),
        receipt=tuple(
            words.receipt_words(line, cards, max_quantity=conf.max_quantity, max_lines=conf.max_lines)
            for line in cart.receipt
        ),
        merge_undo=cart.merge_undo,
        is_guest=cart.ref is None or cart.ref.kind == "g",
        is_copy=cart.is_copy,
        is_locked=bool(cart.locked_by),
        reserve_minutes=reserve_seconds // 60,
        discounts=view.discounts,
        asked=len(cart.question.guest) if cart.question and not cart.is_copy else 0,
    )


def unpriced_page(cart: Cart, saved: Sequence[CartLine], *, reserve_seconds: int) -> CartPage:
    """Put a cart of which only SKUs and quantities are known into its page: to look at, not to change."""
    rows, deferred = (tuple(map(_unpriced_row, lines, range(len(lines)))) for lines in (cart.lines, saved))
    nothing = Money(0, cart.currency)
    return CartPage(
        version=cart.version,
        rows=rows,
        entries=rows,
        saved=deferred,
        saved_entries=deferred,
        saved_count=len(deferred),
        units=cart.units,
        subtotal=nothing,
        total=nothing,
        blocked="",
        digest=(),
        notice_ids=(),
        receipt=(),
        merge_undo="",
        is_guest=cart.ref is None or cart.ref.kind == "g",
        is_copy=True,
        is_locked=bool(cart.locked_by),
        reserve_minutes=reserve_seconds // 60,
        discounts=(),
        is_unpriced=True,
    )


def _unpriced_row(line: CartLine, index: int) -> Row:
    return Row(
        index=index,
        sku_id=line.sku_id,
        title=line.sku_id,
        name=line.sku_id,
        url=reverse("catalog:list"),
        image_url="",
        options="",
        quantity=line.quantity,
        typed=str(line.quantity),
        each=None,
        total=None,
        minus=0,
        plus=0,
        limit="",
        is_sold=True,
        is_far=index >= _FAR,
        stock="",
        fix=0,
        price_words="",
        price_kind="",
        can_move=False,
    )


def cart_row(line: LineView, index: int, *, limit: int, is_saved: bool = False) -> Row:
    """Put one line into the words and numbers of its row."""
    is_sold, card = line.is_sold, line.card
    is_buyable = is_sold and line.unit_price is not None
    most = min(limit, max(line.buyable, 0))
    at_limit = ""
    if is_buyable and line.quantity >= most and line.buyable >= line.quantity:
        at_limit = words.limit_words(line, limit)
    stock = words.saved_stock_words(line) if is_saved else words.line_stock_words(line)
    price = words.price_words(line.price_at_add, line.unit_price, is_saved=is_saved) if is_buyable else ""
    return Row(
        index=index,
        sku_id=line.sku_id,
        title=line.title,
        name=card.product_title if card else line.title,
        url=card.url if card else reverse("catalog:list"),
        image_url=card.image_url if card else "",
        options=" · ".join([value for _name, value in card.options]) if card else "",
        quantity=line.quantity,
        typed=str(line.quantity),
        each=line.unit_price if is_buyable else None,
        total=line.line_total,
        minus=line.quantity - 1,
        plus=min(line.quantity + 1, limit),
        limit=at_limit,
        is_sold=is_sold,
        is_far=index >= _FAR,
        stock="" if at_limit and line.buyable >= line.quantity else stock,
        fix=line.buyable if is_buyable and 0 < line.buyable < line.quantity else 0,
        price_words=price,
        price_kind=words.price_kind(line.price_at_add, line.unit_price) if price else "",
        can_move=is_buyable and line.buyable > 0,
    )


def _blocked(view: CartView) -> str:
    # What stands between this cart and checkout, by name.
    names = [line.title for line in view.lines if line.line_total is None or line.buyable < line.quantity]
    if not names:
        return ""
    return _("To check out, first see to: %(names)s.") % {"names": "; ".join(names)}


def with_did(page: CartPage, did: Did | None) -> CartPage:
    """Show what the last action did: an Undo row in the place of the row that went, or a line on top."""
    if did is None:
        return page
    said = words.did_words(did, units=page.units, total=page.total)
    row = page.row(did.sku_id)
    match did.kind:
        case "removed" | "saved" if row is None:
            gone = Gone(said, did.undo, did.sku_id, is_in_place=True)
            return replace(page, entries=_insert(page.rows, gone, did.index))
        case "unsaved" if all(saved.sku_id != did.sku_id for saved in page.saved):
            gone = Gone(said, did.undo, did.sku_id, is_in_place=False)
            return replace(page, saved_entries=_insert(page.saved, gone, did.index))
        case "removed" | "saved" | "unsaved":
            return page
        case "clamped" if row is not None:
            return with_row(page, replace(row, said=said))
        case _:
            return replace(page, done=Done(said, did.undo, did.sku_id))


def with_row(page: CartPage, changed: Row) -> CartPage:
    """Put another row in the place of the one with the same SKU."""
    rows = tuple(changed if row.sku_id == changed.sku_id else row for row in page.rows)
    return replace(page, rows=rows, entries=rows)


def _insert(rows: tuple[Row, ...], gone: Gone, index: int) -> tuple[Row | Gone, ...]:
    place = index if 0 <= index <= len(rows) else len(rows)
    return (*rows[:place], gone, *rows[place:])
