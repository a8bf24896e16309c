"""Frozen values of the cart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from inventory.types import AvailabilityState
from pricing.types import CodeOff, Discount
from shop.catalog.types import SkuCard
from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class CartRef:
    """Names a cart: a customer's by user id, a guest's by the SHA-256 of the session token."""

    kind: Literal["u", "g"]
    key: str
    is_new: bool = field(default=False, compare=False)
    """The session was issued for this very request: there is nothing to look up or restore."""

    @property
    def owner(self) -> str:
        """The text that stands for this cart in keys, events and rows: `u:42`, `g:9f…`."""
        return f"{self.kind}:{self.key}"

    @property
    def user_id(self) -> int | None:
        """The customer's id, None for a guest."""
        return int(self.key) if self.kind == "u" else None


class CartState(StrEnum):
    """The life of a cart. Merged is final."""

    ACTIVE = "active"
    FROZEN = "frozen"
    """A merge has begun: readable, not writable."""
    MERGED = "merged"


class MergePolicy(StrEnum):
    """What happens at sign-in to a SKU that stands in both carts."""

    MAX = "max"
    SUM = "sum"
    KEEP_SAVED = "keep_saved"
    PROMPT = "prompt"
    """What stands in both with two quantities stays as it is in the account's, and the customer is asked."""


class MergeOutcome(StrEnum):
    """What a merge did to one SKU."""

    ADDED = "added"
    KEPT_LARGER = "kept_larger"
    SUMMED = "summed"
    KEPT_SAVED = "kept_saved"
    ASKED = "asked"
    CAPPED = "capped"
    DISCONTINUED = "discontinued"
    UNKNOWN_SKU = "unknown_sku"
    LIST_FULL = "list_full"


@dataclass(frozen=True, slots=True)
class CartLine:
    """One SKU in a cart. `price_at_add` is for display only, None where none was known."""

    sku_id: str
    quantity: int
    price_at_add: Money | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Cart:
    """A cart as stored: lines in order of adding. Version 0: never written. `is_copy`: PostgreSQL's copy, read-only."""

    ref: CartRef | None
    version: int
    content_version: int
    state: CartState
    currency: str
    lines: tuple[CartLine, ...]
    updated_at: datetime | None
    receipt: tuple[ReceiptLine, ...] = ()
    """What the last merge did, until acknowledged."""
    notice: str = ""
    """The kind of the cart's own notice that stands until acknowledged: `merged`, `changed_elsewhere`, `currency`."""
    is_copy: bool = False
    saved_count: int = 0
    acknowledged: tuple[str, ...] = ()
    """Ids of the notices that the shopper has acknowledged; one a SKU for prices."""
    locked_by: str = ""
    """The checkout that is paying for this cart, while it is."""
    locked_until: datetime | None = None
    merge_undo: str = ""
    """The token with which the merge of the receipt can be undone; empty without a receipt."""
    codes: tuple[int, ...] = ()
    """Ids of the discount codes entered, in that order."""
    question: MergeQuestion | None = None
    """What a merge left to the customer to decide, until answered."""
    region: str = ""
    """The code of the region it was first changed in, or that was chosen for it; empty where none is known."""

    @property
    def units(self) -> int:
        """How many units are in the cart."""
        return sum(line.quantity for line in self.lines)

    def line(self, sku_id: str) -> CartLine | None:
        """Find the line of one SKU."""
        return next((line for line in self.lines if line.sku_id == sku_id), None)


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """What a merge did to one SKU: the quantities before and after."""

    sku_id: str
    outcome: MergeOutcome
    account: int
    guest: int
    result: int


@dataclass(frozen=True, slots=True)
class MergeQuestion:
    """Lines that stood in both carts with two quantities: the account's stand in the cart, these are the guest's."""

    question_id: str
    """Id of the merge that asks."""
    guest: tuple[CartLine, ...]


@dataclass(frozen=True, slots=True)
class PendingLine:
    """One line of a merge's question, for whoever shows it: how many the cart has now, and how many the guest's had."""

    sku_id: str
    title: str
    account: int
    guest: int
    buyable: int
    """How many can be bought now, at most the line limit."""


@dataclass(frozen=True, slots=True)
class PendingMerge:
    """A merge's question, to be answered with `services.answer_merge`."""

    question_id: str
    lines: tuple[PendingLine, ...]


@dataclass(frozen=True, slots=True)
class MergeAnswer:
    """What the cart would be if a merge's question were answered so."""

    policy: MergePolicy
    units: int
    total: Money


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line operation.

    `set` is absolute (0 removes), `add` adds to what is there. `save` moves a line to the saved list and `unsave` back,
    `quantity` units of it or, with 0, all; `set_saved` is absolute on the saved list (0 removes).
    """

    op: Literal["set", "add", "save", "unsave", "set_saved"]
    sku_id: str
    quantity: int
    pointer: str = ""
    """Where in the request it stands, for the refusal's pointer."""


@dataclass(frozen=True, slots=True)
class CartWarning:
    """Done, but not exactly as asked: such as `clamped` to the stock or to the cap."""

    code: str
    sku_id: str
    params: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CartChange:
    """The answer to a write: the cart afterwards, what was altered, and how to undo it."""

    cart: Cart
    warnings: tuple[CartWarning, ...] = ()
    undo: str = ""
    """A token for `undo`, empty where nothing was taken away."""
    was_replayed: bool = False
    added_new: bool = False
    """A line came into being (201 instead of 200)."""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The answer to a merge."""

    cart: Cart
    receipt: tuple[ReceiptLine, ...]
    was_replayed: bool
    undo: str = ""
    """A token for `undo`: the account's cart as it was, the guest's lines saved for later."""
    merge_id: str = ""


@dataclass(frozen=True, slots=True)
class LineView:
    """A cart line with all that a page or an expanded answer shows of it."""

    sku_id: str
    quantity: int
    added_at: datetime
    card: SkuCard | None
    """None if the SKU is unknown to the catalogue."""
    price_at_add: Money | None
    unit_price: Money | None
    line_total: Money | None
    """None where the SKU cannot be bought."""
    price_delta: Money | None
    """unit price − price at add, None if either is unknown, zero if equal."""
    state: AvailabilityState
    available: int
    """Units that this shopper could reserve now."""
    buyable: int
    """How many can be bought now, at most the line limit."""
    retry_after_seconds: int | None
    is_elsewhere: bool = False
    """Sold, but not in the cart's region: it has no price in its currency."""

    @property
    def title(self) -> str:
        """The SKU's title, or its id when the catalogue knows none."""
        return self.card.title if self.card else self.sku_id

    @property
    def is_sold(self) -> bool:
        """Whether the SKU is (still) sold at all."""
        return self.state is not AvailabilityState.DISCONTINUED


NoticeKind = Literal[
    "price_up",
    "price_down",
    "short",
    "discontinued",
    "not_in_region",
    "code_off",
    "merged",
    "changed_elsewhere",
    "currency",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that changed without the shopper's doing; `notice_id` = kind, SKU and present value."""

    notice_id: str
    kind: NoticeKind
    sku_id: str
    title: str
    was: Money | int | None
    now: Money | int | None
    reason: str = ""
    """Why a discount code takes nothing off (`code_off`): the code of a refusal of pricing."""


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart with current prices, cards and availability; one value for page, API and admin."""

    cart: Cart
    lines: tuple[LineView, ...]
    subtotal: Money
    """At list prices."""
    total: Money
    """subtotal − discounts."""
    notices: tuple[Notice, ...]
    locale: str
    saved: tuple[LineView, ...] = ()
    """The saved list, if it was asked for; in no total."""
    discounts: tuple[Discount, ...] = ()
    codes_off: tuple[CodeOff, ...] = ()
    """Codes of the cart that take nothing off now."""

    @property
    def can_check_out(self) -> bool:
        """Whether checkout could start: not empty, every line sold and in sufficient stock."""
        return (
            bool(self.lines)
            and not self.cart.is_copy
            and all(v.line_total is not None and v.buyable >= v.quantity for v in self.lines)
        )


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How the recorder of cart events is doing, as it last said itself."""

    seen_at: datetime | None
    """When a recorder last gave a sign of life, None if none did within a minute."""
    waiting: int
    """Events that no record holds yet."""
    oldest_seconds: float
    """Age of the oldest of them, 0 if there is none."""
    stale: int = 0
    """Snapshots that came too late: repeats, and writes of a recorder that slept. The record kept the newer one."""


@dataclass(frozen=True, slots=True)
class DeferredLine:
    """One saved line of one shopper. `cursor` continues a list behind it."""

    cursor: str
    user_id: int | None
    """None for a guest."""
    sku_id: str
    quantity: int
    saved_at: datetime
    price_then: Money | None
    price_now: Money | None
    """None if the SKU has no price any more."""

    @property
    def price_drop(self) -> Money | None:
        """How much less it costs now; zero if not less, None if either price is unknown."""
        if self.price_then is None or self.price_now is None:
            return None
        drop = self.price_then - self.price_now
        return drop if drop.minor > 0 else Money(0, drop.currency)
