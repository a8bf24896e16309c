"""What Stripe's objects and events mean to us. Pure: parsed JSON in, frozen values out.

Shapes: https://docs.stripe.com/api/payment_intents/object, …/checkout/sessions/object, …/charges/object,
…/disputes/object, …/events/object. What is missing or of another type is read as empty and then fits no payment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shop.checkout.gateways.port import Outcome
from shop.checkout.types import PaymentState

HOSTED = "hosted"
"""The token, and the intent's `metadata.way`, of a payment on Stripe's own page: there the payer may try again."""

_INTENT_STATES: Mapping[str, PaymentState] = {
    "requires_payment_method": PaymentState.FAILED,
    "requires_confirmation": PaymentState.PROCESSING,
    "processing": PaymentState.PROCESSING,
    "requires_action": PaymentState.REQUIRES_ACTION,
    "requires_capture": PaymentState.SUCCEEDED,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.FAILED,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads objects of one account."""

    account: str

    def intent(self, found: Mapping[str, Any], *, account: str = "", page_url: str = "") -> Outcome | None:
        """Read a PaymentIntent; None if it is none of ours.

        On the hosted page a declined card is not the end: the intent waits for another one, and so do we.
        """
        notes = _object(found, "metadata")
        key, status = _text(notes, "payment_id"), _text(found, "status")
        state = _INTENT_STATES.get(status)
        if not key or state is None:
            return None
        if status == "requires_payment_method" and notes.get("way") == HOSTED:
            state = PaymentState.REQUIRES_ACTION
        charge = _object(found, "latest_charge")
        if state is PaymentState.SUCCEEDED and charge.get("refunded") is True:
            state = PaymentState.REFUNDED
        error = _object(found, "last_payment_error")
        reason = "canceled" if status == "canceled" else _text(error, "decline_code") or _text(error, "code")
        action = _text(_object(_object(found, "next_action"), "redirect_to_url"), "url")
        return Outcome(
            key=key,
            reference=_text(found, "id"),
            checkout_id=_text(notes, "checkout_id"),
            state=state,
            amount_minor=_whole(found, "amount"),
            currency=_text(found, "currency").upper(),
            account=account or self.account,
            is_live=found.get("livemode") is True,
            reason=reason[:64] if state is PaymentState.FAILED else "",
            action_url=(action or page_url) if state is PaymentState.REQUIRES_ACTION else "",
            needs_capture=status == "requires_capture",
        )

    def session(self, found: Mapping[str, Any], *, account: str = "") -> Outcome | None:
        """Read a Checkout Session: the hosted page, which bears an intent once the payer has sent it off."""
        notes, status = _object(found, "metadata"), _text(found, "status")
        intent = _object(found, "payment_intent")
        url = _text(found, "url") if status == "open" else ""
        if intent and status != "expired" and (read := self.intent(intent, account=account, page_url=url)):
            return read
        states = {
            "open": PaymentState.REQUIRES_ACTION,
            "complete": PaymentState.PROCESSING,
            "expired": PaymentState.FAILED,
        }
        if status not in states or not _text(notes, "payment_id"):
            return None
        return Outcome(
            key=_text(notes, "payment_id"),
            reference=_text(found, "id"),
            checkout_id=_text(notes, "checkout_id"),
            state=states[status],
            amount_minor=_whole(found, "amount_total"),
            currency=_text(found, "currency").upper(),
            account=account or self.account,
            is_live=found.get("livemode") is True,
            reason="canceled" if status == "expired" else "",
            action_url=url,
        )

    def event(self, event: Mapping[str, Any]) -> Outcome | None:
        """Read what a webhook tells; None if its kind or object mean nothing to us."""
        kind = _text(event, "type")
        found = _object(_object(event, "data"), "object")
        account = _text(event, "account")
        if kind.startswith("payment_intent."):
            return self.intent(found, account=account)
        if kind in ("checkout.session.completed", "checkout.session.expired"):
            return self.session(found, account=account)
        if kind == "charge.refunded":
            return self._refund(found, account)
        if kind == "charge.dispute.created":
            return self._dispute(found, account)
        return None

    def _refund(self, charge: Mapping[str, Any], account: str) -> Outcome | None:
        """Read a refund; of one in part the amount differs from the payment's, which is for people to look at."""
        notes = _object(charge, "metadata")
        if not _text(notes, "payment_id"):
            return None
        return Outcome(
            key=_text(notes, "payment_id"),
            reference=_text(charge, "payment_intent"),
            checkout_id=_text(notes, "checkout_id"),
            state=PaymentState.REFUNDED,
            amount_minor=_whole(charge, "amount_refunded"),
            currency=_text(charge, "currency").upper(),
            account=account or self.account,
            is_live=charge.get("livemode") is True,
        )

    def _dispute(self, dispute: Mapping[str, Any], account: str) -> Outcome | None:
        """Read a chargeback: it names the intent only, not our payment."""
        if not _text(dispute, "payment_intent"):
            return None
        return Outcome(
            key="",
            reference=_text(dispute, "payment_intent"),
            checkout_id="",
            state=PaymentState.REVIEW,
            amount_minor=_whole(dispute, "amount"),
            currency=_text(dispute, "currency").upper(),
            account=account or self.account,
            is_live=dispute.get("livemode") is True,
            reason="chargeback",
        )


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(parent: Mapping[str, Any], name: str) -> str:
    found = parent.get(name)
    return found[:2_000] if isinstance(found, str) else ""


def _whole(parent: Mapping[str, Any], name: str) -> int:
    found = parent.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else -1
