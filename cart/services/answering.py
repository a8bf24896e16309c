"""Answering what a merge left to the customer to decide."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from cart import restoring, store
from cart.codec import decode_cart, encode_receipt
from cart.errors import CartChangedError, CartLockedError, MergeQuestionGoneError
from cart.joining import answered_by
from cart.offers import currency, list_offers
from cart.rules import is_worth_telling
from cart.services.applying import apply
from cart.services.merging import TRIES, find_replay, puts
from cart.types import CartRef, MergePolicy, MergeResult, ReceiptLine
from shop.core.errors import ErrorDetail, RejectedError

_BUSY_SECONDS = 1


def answer_merge(
    *,
    ref: CartRef,
    question_id: str,
    policy: MergePolicy,
    now: datetime,
    choices: Mapping[str, MergePolicy] | None = None,
    merge_id: str = "",
    owner: str | None = None,
) -> MergeResult:
    """Join what a merge asked about by `policy`, or by SKU as `choices` say; the question is over then.

    It is compared with what the cart holds now, whatever was changed since it was asked. The receipt is that of the
    merge with the answers in it, and `undo` of it asks again. An answer given twice (under the same `merge_id`; with
    none, to the same question) has one effect and the same receipt. `owner` is the shopper's own checkout, whose
    reserved units count as available.

    :raises RejectedError: if the answer is to be asked again (detail `not_an_answer`).
    :raises MergeQuestionGoneError: if there is no such question, or a further merge has added to it.
    :raises CartLockedError: if the cart is being paid for, or changes too fast.
    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    by_sku = dict(choices or {})
    if MergePolicy.PROMPT in (policy, *by_sku.values()):
        raise RejectedError(errors=(ErrorDetail("/policy", "not_an_answer"),))
    for _ in range(TRIES):
        fields = store.read(ref.owner) or restoring.read_missing(ref)[0]
        cart = decode_cart(ref, fields, currency=currency())
        done = _find_done(ref, fields, question_id, merge_id)
        if done:
            return done
        if cart.question is None or cart.question.question_id != question_id:
            raise MergeQuestionGoneError
        offers = list_offers(sku_ids=[line.sku_id for line in cart.question.guest], now=now, owner=owner)
        joined = answered_by(cart.lines, cart.question.guest, policy, offers, choices=by_sku)
        receipt = _answered(cart.receipt, joined.receipt)
        applied_id = f"answer-{question_id}-{merge_id or cart.version}"
        try:
            change = apply(
                ref=ref,
                operations=[
                    {
                        "op": "merge",
                        "id": applied_id,
                        "receipt": encode_receipt(receipt),
                        "policy": policy.value,
                        "tell": is_worth_telling(account=cart.lines, receipt=receipt),
                        "answers": True,
                        "to_saved": {},
                    },
                    *puts("put", cart.lines, joined.lines),
                ],
                reason="answer",
                expected_version=cart.version,
            )
        except CartChangedError:
            continue
        return MergeResult(change.cart, receipt, change.was_replayed, undo=change.undo, merge_id=applied_id)
    raise CartLockedError(retry_after_seconds=_BUSY_SECONDS)


def _answered(asked: Sequence[ReceiptLine], answers: Sequence[ReceiptLine]) -> tuple[ReceiptLine, ...]:
    """Put the answers into the merge's receipt where it said “asked”; without one they are the receipt."""
    by_sku = {line.sku_id: line for line in answers}
    kept = [line for line in asked if line.sku_id not in by_sku]
    return (*kept, *answers)


def _find_done(ref: CartRef, fields: Mapping[str, str], question_id: str, merge_id: str) -> MergeResult | None:
    """Find this answer among what the cart holds, unless the question stands again."""
    begins = f"answer-{question_id}-{merge_id}"
    ids = [str(merge["id"]) for merge in json.loads(fields.get("@merges", "[]"))]
    stands = json.loads(fields.get("@question", "{}")).get("id") == question_id
    given = [i for i in ids if (i == begins if merge_id else i.startswith(begins) and not stands)]
    return find_replay(ref, given[-1]) if given else None
