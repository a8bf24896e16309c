"""Joining a guest's cart to a customer's: three steps, each safe to repeat, also where the two lie on two servers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cart import restoring, store
from cart.codec import decode_cart, decode_lines, decode_receipt, encode_line, encode_question, encode_receipt
from cart.conf import conf
from cart.errors import CartChangedError, CartLockedError, MergeSourceGoneError
from cart.joining import joined_by
from cart.offers import currency, list_offers
from cart.rules import Joined, is_worth_telling
from cart.services.applying import Operation, apply
from cart.services.checking import clean
from cart.types import (
    Cart,
    CartChange,
    CartLine,
    CartRef,
    LineChange,
    MergePolicy,
    MergeQuestion,
    MergeResult,
)
from shop.core.errors import ErrorDetail, RejectedError

TRIES = 8
"""How often a join starts over because the target was changed meanwhile."""
_BUSY_SECONDS = 1


def merge_guest_cart(
    *,
    guest_ref: CartRef,
    user_id: int,
    now: datetime,
    policy: MergePolicy | None = None,
    merge_id: str = "",
    owner: str | None = None,
) -> MergeResult:
    """Join a guest's cart and saved list to a customer's, once, however often and by how many it is asked for.

    The guest's cart is frozen for this customer, its lines joined by `policy` (None: the shop's), then only a
    tombstone with the receipt remains of it. SKUs that are not sold are left out, quantities cut to caps and stock,
    and the receipt says so. A merge that has begun is finished under its own id and policy, whatever is asked for.
    `was_replayed`: it had been done before, and this is its receipt. `owner` is the shopper's own checkout, whose
    reserved units count as available.

    :raises MergeSourceGoneError: if there is no such guest cart, or it went to another customer.
    :raises CartLockedError: if either cart is being paid for, or the customer's cart changes too fast.
    :raises CartsUnavailableError: if Redis cannot answer now; then it may be half done, and is finished when repeated.
    """
    target = CartRef("u", str(user_id))
    wanted = (policy or MergePolicy(conf().merge_policy)).value
    frozen = store.freeze(owner=guest_ref.owner, into=target.owner, merge_id=merge_id or _new_id(), policy=wanted)
    if frozen.status == "absent" and restoring.restore(guest_ref):
        frozen = store.freeze(owner=guest_ref.owner, into=target.owner, merge_id=merge_id or _new_id(), policy=wanted)
    match frozen.status:
        case "merged":
            return _replay(target, frozen.merge_id, frozen.receipt)
        case "frozen":
            pass
        case "locked":
            raise CartLockedError(retry_after_seconds=frozen.seconds)
        case _:
            raise MergeSourceGoneError
    result = _join(
        target=target,
        guest=decode_lines(frozen.cart or {}),
        guest_saved=decode_lines(frozen.saved or {}),
        policy=MergePolicy(frozen.policy),
        merge_id=frozen.merge_id,
        now=now,
        owner=owner,
    )
    store.tombstone(owner=guest_ref.owner, merge_id=frozen.merge_id, receipt=encode_receipt(result.receipt))
    return result


def finish_merge(*, guest_ref: CartRef, now: datetime, owner: str | None = None) -> bool:
    """Finish a merge that has begun for this guest's cart, whoever asks; tell whether there was one to finish.

    :raises CartLockedError, CartsUnavailableError: as `merge_guest_cart`.
    """
    fields = store.read(guest_ref.owner)
    if fields.get("@state") != "frozen":
        return False
    user_id = int(fields["@merged_into"].removeprefix("u:"))
    merge_guest_cart(guest_ref=guest_ref, user_id=user_id, now=now, owner=owner)
    return True


def merge_items(
    *,
    ref: CartRef,
    items: Sequence[tuple[str, int]],
    saved: Sequence[tuple[str, int]] = (),
    merge_id: str,
    now: datetime,
    policy: MergePolicy | None = None,
    owner: str | None = None,
) -> MergeResult:
    """Join a cart and a saved list that a browser or an app kept itself, pairs of SKU and quantity, to this cart.

    Prices come from the shop, never from the client. The same `merge_id` again brings the same receipt. A SKU that no
    catalogue knows is in the receipt as `unknown_sku`. `owner`: as in `merge_guest_cart`.

    :raises QuantityInvalidError, QuantityTooLargeError: if a quantity is not valid.
    :raises RejectedError: if a SKU id is impossible, or there are more lines than a cart takes (`max_items`).
    :raises CartLockedError, CartMergedError, CartsUnavailableError: as for any change.
    """
    lists = []
    for name, pairs, limit in (("items", items, conf().max_lines), ("saved", saved, conf().max_saved)):
        if len(pairs) > limit:
            raise RejectedError(errors=(ErrorDetail(f"/source/{name}", "max_items", {"limit": limit}),))
        lists.append(
            clean([LineChange("add", sku_id, n, f"/source/{name}/{i}/quantity") for i, (sku_id, n) in enumerate(pairs)])
        )
    offers = list_offers(sku_ids=[c.sku_id for changes in lists for c in changes], now=now)
    guest, guest_saved = (
        [CartLine(c.sku_id, c.quantity, offers.prices.get(c.sku_id), now) for c in changes] for changes in lists
    )
    return _join(
        target=ref,
        guest=guest,
        guest_saved=guest_saved,
        policy=policy or MergePolicy(conf().merge_policy),
        # What a client makes up must not meet the ids of merges that we made.
        merge_id=f"items-{merge_id}",
        now=now,
        owner=owner,
    )


def _new_id() -> str:
    return secrets.token_urlsafe(12)


def _join(
    *,
    target: CartRef,
    guest: Sequence[CartLine],
    guest_saved: Sequence[CartLine],
    policy: MergePolicy,
    merge_id: str,
    now: datetime,
    owner: str | None,
) -> MergeResult:
    """Apply the guest's lines to the target under the merge's id; start over if the target was changed meanwhile."""
    offers = list_offers(sku_ids=[line.sku_id for line in (*guest, *guest_saved)], now=now, owner=owner)
    for _ in range(TRIES):
        fields, saved = store.read_both(target.owner)
        if not fields and not target.is_new:
            fields, saved = restoring.read_missing(target)
        account = decode_cart(target, fields, currency=currency())
        joined = joined_by(account.lines, guest, policy, conf().max_lines, offers, is_bounded=True)
        # Two saved lists are not worth a question.
        quiet = MergePolicy.MAX if policy is MergePolicy.PROMPT else policy
        deferred = joined_by(decode_lines(saved), guest_saved, quiet, conf().max_saved, offers, is_bounded=False)
        receipt = (*joined.receipt, *(line for line in deferred.receipt if line.result < line.guest))
        try:
            change = apply(
                ref=target,
                operations=[
                    {
                        "op": "merge",
                        "id": merge_id,
                        "receipt": encode_receipt(receipt),
                        "policy": policy.value,
                        "tell": is_worth_telling(account=account.lines, receipt=receipt),
                        **_question(account, joined, merge_id),
                        "to_saved": {line.sku_id: encode_line(line) for line in guest if line.sku_id in offers.cards},
                    },
                    *puts("put", account.lines, joined.lines),
                    *puts("put_saved", decode_lines(saved), deferred.lines),
                ],
                reason="merge",
                expected_version=account.version,
            )
        except CartChangedError:
            replay = find_replay(target, merge_id)
            if replay:
                return replay
            continue
        if change.was_replayed:
            return find_replay(target, merge_id) or _result(change, (), merge_id)
        return MergeResult(change.cart, tuple(receipt), was_replayed=False, undo=change.undo, merge_id=merge_id)
    raise CartLockedError(retry_after_seconds=_BUSY_SECONDS)


def _question(account: Cart, joined: Joined, merge_id: str) -> dict[str, str]:
    """Write what this merge leaves to decide, with what an earlier one still does."""
    lines = {line.sku_id: line for line in (account.question.guest if account.question else ())}
    lines |= {line.sku_id: line for line in joined.asked}
    return {"question": encode_question(MergeQuestion(merge_id, tuple(lines.values())))} if lines else {}


def _result(change: CartChange, receipt: tuple[Any, ...], merge_id: str) -> MergeResult:
    return MergeResult(change.cart, receipt, was_replayed=True, undo=change.undo, merge_id=merge_id)


def puts(kind: str, was: Sequence[CartLine], lines: Sequence[CartLine]) -> list[Operation]:
    """Write the lines that are not as they were as operations of the change script."""
    known = {line.sku_id: line for line in was}
    return [
        {"op": kind, "sku": line.sku_id, "line": encode_line(line)} for line in lines if known.get(line.sku_id) != line
    ]


def find_replay(target: CartRef, merge_id: str) -> MergeResult | None:
    """Find the receipt of a merge that the target already holds."""
    fields = store.read(target.owner)
    for merge in _merges(fields):
        if merge["id"] == merge_id:
            cart = decode_cart(target, fields, currency=currency())
            return MergeResult(cart, decode_receipt(merge["receipt"]), True, merge.get("undo", ""), merge_id)
    return None


def _merges(fields: Mapping[str, str]) -> list[dict[str, str]]:
    merges: list[dict[str, str]] = json.loads(fields.get("@merges", "[]"))
    return merges


def _replay(target: CartRef, merge_id: str, receipt: str) -> MergeResult:
    """Answer a merge that was finished before with its receipt."""
    found = find_replay(target, merge_id)
    if found:
        return found
    cart: Cart = decode_cart(target, store.read(target.owner), currency=currency())
    return MergeResult(cart, decode_receipt(receipt), was_replayed=True, merge_id=merge_id)
