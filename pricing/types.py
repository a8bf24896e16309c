"""Frozen values of pricing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class Region:
    """Where people shop in one currency."""

    code: str
    """Such as `eu`: lower case, for cookies and keys."""
    name: str
    currency: str
    """ISO 4217."""
    countries: frozenset[str] = frozenset()
    """Where it delivers, ISO 3166-1 alpha-2; empty: anywhere."""


@dataclass(frozen=True, slots=True)
class Demand:
    """So many units of one SKU."""

    sku_id: str
    quantity: int


class ReductionKind(StrEnum):
    """How a promotion or a code reduces prices."""

    PERCENT = "percent"
    AMOUNT = "amount"
    """So much off what it covers, once."""
    FIXED_PRICE = "fixed_price"
    """Each unit that it covers costs so much, if it would cost more."""
    BUY_X_GET_Y = "buy_x_get_y"
    """Of so many and a few more, the few cheapest are free."""


class Combining(StrEnum):
    """What a promotion or a code may stand on one line with."""

    EVERYTHING = "everything"
    PROMOTIONS = "promotions"
    """With promotions; with no other code."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reduction:
    """A promotion, or one that a code brings (`code_id`), with the SKUs of the cart that it covers."""

    promotion_id: int
    name: str
    kind: ReductionKind
    value: int
    """Percent from 1 to 100 · minor units off · minor units a unit · units to buy for the free ones."""
    sku_ids: tuple[str, ...]
    free: int = 0
    """Of buy x get y: how many are free."""
    minimum_minor: int = 0
    """What it covers must cost at least so much at list prices."""
    combines: Combining = Combining.EVERYTHING
    code_id: int | None = None
    label: str = ""
    """The code as it may be shown: a personal one by its beginning only."""
    is_counted: bool = False
    """The promotion has a limit: a use of it has to be claimed."""


@dataclass(frozen=True, slots=True)
class Discount:
    """What one promotion or code takes off; the parts of the lines add up to it. `amount` is positive."""

    promotion_id: int
    name: str
    amount: Money
    code_id: int | None = None
    label: str = ""

    @property
    def kind(self) -> str:
        """Say which of the two it is: `code` or `promotion`."""
        return "promotion" if self.code_id is None else "code"


@dataclass(frozen=True, slots=True)
class CodeOff:
    """A code of this cart that takes nothing off now. `reason` is a stable code such as `code_expired`."""

    code_id: int
    label: str
    reason: str
    minimum: Money | None = None
    """Of `code_minimum`: what it covers must cost at least so much."""


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One SKU of a quote. `line_total` is at list price; `discount_minor` comes off it."""

    sku_id: str
    quantity: int
    unit_price: Money
    line_total: Money
    discount_minor: int = 0

    @property
    def to_pay(self) -> Money:
        """What the line costs after promotions and codes."""
        return Money(self.line_total.minor - self.discount_minor, self.line_total.currency)


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """An immutable priced cart. `unpriced` names SKUs without a price in this currency; they are in no total."""

    currency: str
    lines: tuple[QuoteLine, ...]
    unpriced: tuple[str, ...]
    subtotal: Money
    """At list prices."""
    total: Money
    """subtotal − discounts."""
    discounts: tuple[Discount, ...] = ()
    codes_off: tuple[CodeOff, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    """What was looked at to find the discounts: with it, the same lines can be priced again without asking anybody."""

    def unit_price(self, sku_id: str) -> Money | None:
        """Give the unit price of one SKU, None if it has none."""
        return next((line.unit_price for line in self.lines if line.sku_id == sku_id), None)


@dataclass(frozen=True, slots=True)
class NewPrice:
    """What a unit is to cost, for whom (empty: everybody), from when, until when."""

    sku_id: str
    unit_price_minor: int
    currency: str
    segment: str
    valid_from: datetime
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderDelta:
    """What an ordered line cost at each stage, in minor units for all its units; None where it did not get there."""

    added_minor: int | None
    shown_minor: int | None
    acknowledged_minor: int | None
    charged_minor: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code that was just made: the only time that all of it is told."""

    code_id: int
    code: str
    label: str


def reduction_rows(reductions: Iterable[Reduction]) -> list[dict[str, Any]]:
    """Write reductions as JSON, for a quote that is frozen."""
    return [asdict(reduction) for reduction in reductions]


def read_reductions(rows: Iterable[Mapping[str, Any]]) -> tuple[Reduction, ...]:
    """Read what `reduction_rows` wrote."""
    return tuple(
        Reduction(
            **{
                **row,
                "kind": ReductionKind(row["kind"]),
                "combines": Combining(row["combines"]),
                "sku_ids": tuple(row["sku_ids"]),
            }
        )
        for row in rows
    )


def discount_rows(discounts: Iterable[Discount]) -> list[dict[str, Any]]:
    """Write discounts as JSON; the currency is that of what they stand in."""
    return [{**asdict(discount), "amount": discount.amount.minor} for discount in discounts]


def read_discounts(rows: Iterable[Mapping[str, Any]], currency: str) -> tuple[Discount, ...]:
    """Read what `discount_rows` wrote."""
    return tuple(Discount(**{**row, "amount": Money(row["amount"], currency)}) for row in rows)
