"""Pure decisions of the cart: how two carts are joined, and which changes a shopper is told about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cart.types import CartLine, CartView, LineView, MergeOutcome, MergePolicy, Notice, ReceiptLine
from shop.core.money import Money

ANSWERS = (MergePolicy.MAX, MergePolicy.SUM, MergePolicy.KEEP_SAVED)
"""What the question of the policy `prompt` can be answered with."""


@dataclass(frozen=True, slots=True)
class MergeLimits:
    """What bounds a merge: most lines, most units a line, and what there is of each SKU (absent: no bound)."""

    lines: int
    quantity: int
    available: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Joined:
    """The account's lines after a merge, in order of adding, and what happened to each of the guest's."""

    lines: tuple[CartLine, ...]
    receipt: tuple[ReceiptLine, ...]
    asked: tuple[CartLine, ...] = ()
    """The guest's lines that the policy leaves to the customer to decide."""


def join_carts(
    *,
    account: Sequence[CartLine],
    guest: Sequence[CartLine],
    policy: MergePolicy,
    limits: MergeLimits,
    left_out: Mapping[str, MergeOutcome],
) -> Joined:
    """Join a guest's lines to an account's.

    `left_out` names the guest's SKUs that may not come along, and why. Quantities are cut to the line limit and to
    what there is, but an account's own quantity is never lowered; further lines beyond the limit are left out. A
    line keeps the price and time of the account's, or else of the guest's. Whatever is not simply taken over is in
    the receipt, and so is what is.
    """
    lines = {line.sku_id: line for line in account}
    receipt: list[ReceiptLine] = []
    asked: list[CartLine] = []
    for line in sorted(guest, key=lambda line: (line.added_at, line.sku_id)):
        sku_id, theirs = line.sku_id, line.quantity
        mine = lines[sku_id].quantity if sku_id in lines else 0
        if sku_id in left_out:
            receipt.append(ReceiptLine(sku_id, left_out[sku_id], mine, theirs, mine))
            continue
        if not mine and len(lines) >= limits.lines:
            receipt.append(ReceiptLine(sku_id, MergeOutcome.LIST_FULL, 0, theirs, 0))
            continue
        if policy is MergePolicy.PROMPT and mine and mine != theirs:
            receipt.append(ReceiptLine(sku_id, MergeOutcome.ASKED, mine, theirs, mine))
            asked.append(line)
            continue
        wanted, outcome = _wanted(mine, theirs, policy)
        most = min(limits.quantity, limits.available.get(sku_id, limits.quantity))
        result = max(mine, min(wanted, most))
        if result < wanted:
            outcome = MergeOutcome.CAPPED
        receipt.append(ReceiptLine(sku_id, outcome, mine, theirs, result))
        if result:
            lines[sku_id] = replace(lines.get(sku_id, line), quantity=result)
    ordered = sorted(lines.values(), key=lambda line: (line.added_at, line.sku_id))
    return Joined(tuple(ordered), tuple(receipt), tuple(asked))


def _wanted(mine: int, theirs: int, policy: MergePolicy) -> tuple[int, MergeOutcome]:
    """Decide how many units of one SKU a policy wants, before any cap."""
    if not mine:
        return theirs, MergeOutcome.ADDED
    match policy:
        case MergePolicy.SUM:
            return mine + theirs, MergeOutcome.SUMMED
        case MergePolicy.KEEP_SAVED:
            return mine, MergeOutcome.KEPT_SAVED
        case _:
            return max(mine, theirs), MergeOutcome.KEPT_LARGER


def is_worth_telling(*, account: Sequence[CartLine], receipt: Sequence[ReceiptLine]) -> bool:
    """Tell whether a merge is shown: both carts had lines, or something was cut or left out."""
    plain = (MergeOutcome.ADDED, MergeOutcome.KEPT_LARGER, MergeOutcome.SUMMED, MergeOutcome.KEPT_SAVED)
    return bool(receipt) and (bool(account) or any(line.outcome not in plain for line in receipt))


def notice_id(kind: str, value: object, sku_id: str) -> str:
    """Name a notice by kind, present value and SKU: the same change is one notice however often it is read."""
    return f"{kind}:{value}:{sku_id}"


def acknowledged_prices(acknowledged: Sequence[str], currency: str) -> dict[str, Money]:
    """Read the price that the shopper last acknowledged of each SKU out of the notices' ids."""
    prices: dict[str, Money] = {}
    for text in acknowledged:
        kind, _, rest = text.partition(":")
        value, _, sku_id = rest.partition(":")
        if kind in ("price_up", "price_down") and value.isdecimal():
            prices[sku_id] = Money(int(value), currency)
    return prices


def line_notices(view: LineView, *, acknowledged: Mapping[str, Money], seen: Collection[str]) -> tuple[Notice, ...]:
    """Tell what changed about one line without the shopper's doing.

    Prices are compared with the one last acknowledged, or else with the price at add. Too little stock is told until
    its id is among those `seen`; another number left is another id.
    """
    if view.is_elsewhere:
        name = notice_id("not_in_region", 0, view.sku_id)
        return (Notice(name, "not_in_region", view.sku_id, view.title, view.quantity, 0),)
    if not view.is_sold:
        gone = notice_id("discontinued", 0, view.sku_id)
        return (Notice(gone, "discontinued", view.sku_id, view.title, view.quantity, 0),)
    notices: list[Notice] = []
    was, now = acknowledged.get(view.sku_id, view.price_at_add), view.unit_price
    if was is not None and now is not None and was.currency == now.currency and was != now:
        kind: Literal["price_up", "price_down"] = "price_up" if now > was else "price_down"
        notices.append(Notice(notice_id(kind, now.minor, view.sku_id), kind, view.sku_id, view.title, was, now))
    if view.buyable < view.quantity:
        short = notice_id("short", view.buyable, view.sku_id)
        if short not in seen:
            notices.append(Notice(short, "short", view.sku_id, view.title, view.quantity, view.buyable))
    return tuple(notices)


def view_digest(view: CartView) -> str:
    """Hash, shortly, what an expanded answer shows beyond the cart's version: the second half of its ETag."""
    shown = [
        (
            line.sku_id,
            line.title,
            line.unit_price.minor if line.unit_price else None,
            line.state,
            line.buyable,
            line.is_sold,
            line.is_elsewhere,
        )
        for line in (*view.lines, *view.saved)
    ]
    taken = [(discount.name, discount.label, discount.amount.minor) for discount in view.discounts]
    off = [(code.code_id, code.reason) for code in view.codes_off]
    text = json.dumps([view.locale, view.total.currency, shown, taken, off], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
