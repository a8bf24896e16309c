"""Undoing a change, and acknowledging what a shopper was told."""

from __future__ import annotations

from collections.abc import Collection

from cart.services.applying import Operation, apply
from cart.types import CartChange, CartRef
from shop.catalog import selectors as catalog


def undo(*, ref: CartRef, undo: str) -> CartChange:
    """Bring back what the change with this token took: quantities, prices at add, places in the list.

    Later edits of other lines stay. A token works once, for 24 hours, and only for the cart that it came from. Undoing
    a merge brings back the account's lines and saves the guest's for later.

    :raises UndoExpiredError: if there is no such token (any more).
    :raises UndoSupersededError: if one of its lines was changed since.
    :raises Refusal: also as `applying.apply` says.
    """
    return apply(ref=ref, operations=[{"op": "undo", "token": undo}], reason="undo", can_undo=False)


def acknowledge(*, ref: CartRef, notice_ids: Collection[str]) -> CartChange:
    """Remember that the shopper has seen these notices; unknown ones are passed over.

    A line that is no longer sold is taken out by it (the catalogue is asked again, so that a line that is sold again
    stays). That a line is short is told anew when another number of it is left; the line itself stays short, and
    blocks checkout, until its quantity fits.

    :raises Refusal: as `applying.apply` says.
    """
    gone = {text.split(":", 2)[2]: text for text in notice_ids if text.startswith("discontinued:0:")}
    cards = catalog.list_cards(sku_ids=list(gone)) if gone else {}
    back = {text for sku_id, text in gone.items() if sku_id in cards and cards[sku_id].is_sellable}
    operations: list[Operation] = [{"op": "ack", "id": text} for text in notice_ids if text not in back]
    return apply(ref=ref, operations=operations, reason="ack")
