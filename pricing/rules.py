"""Pure arithmetic of prices, in stages: list → promotion → code → total.

Amounts that are taken off several lines at once are shared out by largest remainder, so that the parts of the lines
add up to the amount exactly, and no line ever costs less than nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from pricing.types import CodeOff, Combining, Demand, Discount, PriceQuote, QuoteLine, Reduction, ReductionKind
from shop.core.money import Money, total

CODE_LENGTH = 64
"""The most characters of a code."""


def canonical_code(text: str) -> str:
    """Bring a code that was typed into the form in which it is looked up; empty if it cannot be a code."""
    code = unicodedata.normalize("NFKC", text).strip().upper()
    return code if 0 < len(code) <= CODE_LENGTH and code.isprintable() and " " not in code else ""


def price_demands(
    *,
    demands: Sequence[Demand],
    prices: Mapping[str, Money],
    currency: str,
    reductions: Sequence[Reduction] = (),
    codes_off: Sequence[CodeOff] = (),
) -> PriceQuote:
    """Price a cart. Demands for one SKU are summed and stand where the first one stood.

    A SKU without a price is named in `unpriced` and is in no total. `reductions` are tried in their order, those
    without a code first. `codes_off` are codes of the cart that were ruled out before; the quote names them too.

    :raises ValueError: if a quantity is below 1.
    """
    wanted: dict[str, int] = {}
    for demand in demands:
        if demand.quantity < 1:
            msg = f"a quantity of {demand.quantity} has no price"
            raise ValueError(msg)
        wanted[demand.sku_id] = wanted.get(demand.sku_id, 0) + demand.quantity
    lines = tuple(
        QuoteLine(sku_id, quantity, prices[sku_id], prices[sku_id] * quantity)
        for sku_id, quantity in wanted.items()
        if sku_id in prices
    )
    subtotal = total([line.line_total for line in lines], currency)
    sheet = _Sheet({line.sku_id: line for line in lines}, currency)
    ordered = (*(r for r in reductions if r.code_id is None), *(r for r in reductions if r.code_id is not None))
    for reduction in ordered:
        sheet.take(reduction)
    return PriceQuote(
        currency=currency,
        lines=tuple(
            QuoteLine(line.sku_id, line.quantity, line.unit_price, line.line_total, sheet.taken[line.sku_id])
            if line.sku_id in sheet.taken
            else line
            for line in lines
        ),
        unpriced=tuple(sku_id for sku_id in wanted if sku_id not in prices),
        subtotal=subtotal,
        total=Money(subtotal.minor - sum(sheet.taken.values()), currency),
        discounts=tuple(sheet.discounts),
        codes_off=(*codes_off, *sheet.codes_off),
        reductions=ordered,
    )


def share_out(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `amount` in proportion to `weights` by largest remainder; the parts add up to it.

    Of equal remainders the earlier one is served first. If `amount` is at most the sum of the weights, no part is more
    than its weight. Source: the Hamilton (Hare–Niemeyer) method.

    :raises ValueError: if something is below 0, or there is an amount and nothing to lay it on.
    """
    whole = sum(weights)
    if amount < 0 or any(weight < 0 for weight in weights) or (amount and not whole):
        msg = f"{amount} cannot be shared out over {weights}"
        raise ValueError(msg)
    if not whole:
        return tuple(0 for _ in weights)
    parts = [amount * weight // whole for weight in weights]
    left = amount - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda position: -(amount * weights[position] % whole))
    for position in by_remainder[:left]:
        parts[position] += 1
    return tuple(parts)


def delta_reasons(
    line: QuoteLine,
    added_minor: int | None,
    quote: PriceQuote,
    *,
    is_lock_over: bool = False,
    is_other_currency: bool = False,
) -> tuple[str, ...]:
    """Say why a line does not cost what its units cost when they were added; nothing if it does.

    `currency`: it was added in another · `price`: the unit price is another · `promotion`, `code`: one takes something
    off it · `lock_expired`: and the quote that was shown before had run out. A line without a price at add differs only
    by what is taken off.
    """
    reasons = ["currency"] if is_other_currency else []
    if added_minor is not None and added_minor != line.unit_price.minor:
        reasons.append("price")
    if line.discount_minor:
        taken = {(discount.promotion_id, discount.code_id) for discount in quote.discounts}
        covering = [
            reduction
            for reduction in quote.reductions
            if line.sku_id in reduction.sku_ids and (reduction.promotion_id, reduction.code_id) in taken
        ]
        if any(reduction.code_id is None for reduction in covering):
            reasons.append("promotion")
        if any(reduction.code_id is not None for reduction in covering):
            reasons.append("code")
    if reasons and is_lock_over:
        reasons.append("lock_expired")
    return tuple(reasons)


def combine(first: Reduction, second: Reduction) -> bool:
    """Tell whether two may stand on one line."""
    return _allows(first, second) and _allows(second, first)


def _allows(one: Reduction, other: Reduction) -> bool:
    if one.combines is Combining.PROMOTIONS:
        return other.code_id is None
    return one.combines is Combining.EVERYTHING


@dataclass(slots=True)
class _Sheet:
    """What has been taken off so far; lives within one call of `price_demands`."""

    lines: Mapping[str, QuoteLine]
    currency: str
    taken: dict[str, int] = field(default_factory=dict)
    discounts: list[Discount] = field(default_factory=list)
    codes_off: list[CodeOff] = field(default_factory=list)
    on_line: dict[str, list[Reduction]] = field(default_factory=dict)
    codes: list[Reduction] = field(default_factory=list)

    def take(self, reduction: Reduction) -> None:
        """Take one reduction off, or note why a code takes nothing off."""
        covered = [self.lines[sku_id] for sku_id in dict.fromkeys(reduction.sku_ids) if sku_id in self.lines]
        lines = [line for line in covered if all(combine(reduction, o) for o in self.on_line.get(line.sku_id, ()))]
        parts = _parts(reduction, lines, [line.line_total.minor - self.taken.get(line.sku_id, 0) for line in lines])
        reason = self._why_not(reduction, covered)
        if not reason and not any(parts):
            reason = "code_not_for_cart" if lines else "code_not_combinable"
        if reason:
            self._put_off(reduction, reason)
            return
        for line, part in zip(lines, parts, strict=True):
            if part:
                self.taken[line.sku_id] = self.taken.get(line.sku_id, 0) + part
                self.on_line.setdefault(line.sku_id, []).append(reduction)
        if reduction.code_id is not None:
            self.codes.append(reduction)
        amount = Money(sum(parts), self.currency)
        self.discounts.append(
            Discount(reduction.promotion_id, reduction.name, amount, reduction.code_id, reduction.label)
        )

    def _why_not(self, reduction: Reduction, covered: Sequence[QuoteLine]) -> str:
        if not covered:
            return "code_not_for_cart"
        if sum(line.line_total.minor for line in covered) < reduction.minimum_minor:
            return "code_minimum"
        is_refused = reduction.code_id is not None and any(
            not combine(reduction, other) or other.promotion_id == reduction.promotion_id for other in self.codes
        )
        return "code_not_combinable" if is_refused else ""

    def _put_off(self, reduction: Reduction, reason: str) -> None:
        if reduction.code_id is None:
            return
        minimum = Money(reduction.minimum_minor, self.currency) if reason == "code_minimum" else None
        self.codes_off.append(CodeOff(reduction.code_id, reduction.label, reason, minimum))


def _parts(reduction: Reduction, lines: Sequence[QuoteLine], rests: Sequence[int]) -> tuple[int, ...]:
    """Tell what a reduction takes off each of the lines, of which `rests` is still to be paid."""
    base = sum(rests)
    match reduction.kind:
        case ReductionKind.PERCENT:
            return share_out(min(base, (base * reduction.value + 50) // 100), rests)
        case ReductionKind.AMOUNT:
            return share_out(min(base, reduction.value), rests)
        case ReductionKind.FIXED_PRICE:
            pairs = zip(lines, rests, strict=True)
            return tuple(max(0, rest - reduction.value * line.quantity) for line, rest in pairs)
        case ReductionKind.BUY_X_GET_Y:
            return _free_units(reduction, lines, rests)


def _free_units(reduction: Reduction, lines: Sequence[QuoteLine], rests: Sequence[int]) -> tuple[int, ...]:
    """Give the cheapest units away: `free` of every `value + free`."""
    units = sum(line.quantity for line in lines)
    left = units // (reduction.value + reduction.free) * reduction.free
    parts = [0] * len(lines)
    for position in sorted(range(len(lines)), key=lambda p: Fraction(rests[p], lines[p].quantity)):
        given = min(left, lines[position].quantity)
        parts[position] = rests[position] * given // lines[position].quantity
        left -= given
    return tuple(parts)
