"""The offline gateway: answers by test tokens and keeps durable books, with a real provider's faults.

Its tokens: `ok` succeeds, `declined` is refused, `slow` is undecided for five seconds and then succeeds,
`timeout_after_success` takes the money and never answers, `requires_action` waits for the customer at the bank's page.
Production refuses to start with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from shop.checkout.access import payer_path
from shop.checkout.conf import conf
from shop.checkout.errors import WebhookRefusedError
from shop.checkout.gateways import signing
from shop.checkout.gateways.port import Charge, GatewayEvent, GatewayTimeoutError, Outcome
from shop.checkout.models import FakeCharge
from shop.checkout.types import PaymentState
from shop.core import clock
from shop.core.db import columns_of, instance_of, prepared
from shop.core.errors import ErrorDetail, RejectedError
from shop.core.ids import new_id

TOKENS = ("ok", "declined", "slow", "timeout_after_success", "requires_action")
SLOW_SECONDS = 5
UNDECIDED = (PaymentState.PROCESSING.value, PaymentState.REQUIRES_ACTION.value)
FIRST_STATE = {
    "ok": PaymentState.SUCCEEDED,
    "declined": PaymentState.FAILED,
    "slow": PaymentState.PROCESSING,
    "timeout_after_success": PaymentState.SUCCEEDED,
    "requires_action": PaymentState.REQUIRES_ACTION,
}

_ENTER = f"""
INSERT INTO checkout_fakecharge AS f
       (key, reference, checkout_id, amount_minor, currency, state, reason, settles_at, is_told, created_at)
VALUES (%(key)s, %(reference)s, %(checkout_id)s, %(amount)s, %(currency)s, %(state)s, %(reason)s, %(settles_at)s,
        false, %(now)s)
    ON CONFLICT (key) DO NOTHING
RETURNING {columns_of(FakeCharge, "f")}
"""  # noqa: S608 - put together from constants


class FakeGateway:
    """A provider without a network. Its books are a table that only this class touches."""

    name = "fake"
    account = "offline"
    is_live = False

    def check_token(self, token: str) -> None:
        """Refuse what is not a test token.

        :raises RejectedError: if the token is none of `TOKENS`.
        """
        if token not in TOKENS:
            detail = ErrorDetail("/provider_token", "out_of_choice", {"choices": ", ".join(TOKENS)})
            raise RejectedError(errors=(detail,))

    def charge(self, charge: Charge) -> Outcome:
        """Answer by the token, and enter the charge in the books.

        :raises RejectedError: if the token is none of `TOKENS`.
        :raises GatewayTimeoutError: for `timeout_after_success`, after the charge is in the books.
        """
        self.check_token(charge.token)
        now = clock.now()
        state = FIRST_STATE[charge.token]
        entered = prepared(
            _ENTER,
            {
                "key": charge.key,
                "reference": new_id("fch"),
                "checkout_id": charge.checkout_id,
                "amount": charge.amount.minor,
                "currency": charge.amount.currency,
                "state": state.value,
                "reason": "card_declined" if state is PaymentState.FAILED else "",
                "settles_at": now + timedelta(seconds=SLOW_SECONDS) if charge.token == "slow" else None,  # noqa: S105 - a test token
                "now": now,
            },
        )
        row = instance_of(FakeCharge, entered[0]) if entered else FakeCharge.objects.get(key=charge.key)
        if charge.token == "timeout_after_success":  # noqa: S105 - a test token
            raise GatewayTimeoutError
        return _outcome(row)

    def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """Look a charge up; a slow one that is due has succeeded."""
        self._settle(clock.now())
        row = FakeCharge.objects.filter(key=key).first()
        return _outcome(row) if row else None

    def cancel(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """End an undecided charge; a decided one stays as it is."""
        self._settle(clock.now())
        FakeCharge.objects.filter(key=key, state__in=UNDECIDED).update(
            state=PaymentState.FAILED.value,
            reason="canceled",
            settles_at=None,
            is_told=False,
        )
        return self.find(key=key)

    def capture(self, *, key: str, reference: str = "") -> Outcome:
        """Tell how a charge stands: here money is taken at once."""
        return _outcome(FakeCharge.objects.get(key=key))

    def refund(self, *, key: str, reference: str = "") -> Outcome:
        """Give a charge back; one that was given back already stays so."""
        FakeCharge.objects.filter(key=key, state=PaymentState.SUCCEEDED.value).update(
            state=PaymentState.REFUNDED.value,
            is_told=False,
        )
        return _outcome(FakeCharge.objects.get(key=key))

    def decide(self, *, key: str, approve: bool) -> Outcome:
        """Play the customer at the bank's page: approve or refuse a charge that waits for it."""
        state = PaymentState.SUCCEEDED if approve else PaymentState.FAILED
        FakeCharge.objects.filter(key=key, state=PaymentState.REQUIRES_ACTION.value).update(
            state=state.value,
            reason="" if approve else "authentication_failed",
            is_told=False,
        )
        return _outcome(FakeCharge.objects.get(key=key))

    def list_charges(self, *, since: datetime) -> tuple[Outcome, ...]:
        """List the books since a time, oldest first, at most 500."""
        self._settle(clock.now())
        return tuple(
            _outcome(row) for row in FakeCharge.objects.filter(created_at__gte=since).order_by("created_at")[:500]
        )

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Check a webhook's signature.

        :raises WebhookRefusedError: if it is not good.
        """
        signing.verify(
            body=body,
            headers=headers,
            secrets=conf().webhook_secrets,
            tolerance_seconds=conf().webhook_tolerance_seconds,
            now=now,
        )

    def read_event(self, *, body: bytes) -> GatewayEvent:
        """Read a webhook that this gateway sent.

        :raises WebhookRefusedError: if it is not JSON, not an object, or bears no id.
        """
        try:
            event = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise WebhookRefusedError from error
        if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not _is_plain(event["id"]):
            raise WebhookRefusedError
        kind = event["type"][:100] if isinstance(event.get("type"), str) and _is_plain(event["type"]) else ""
        data = event.get("data")
        if not isinstance(data, dict):
            data = {}
        key = data.get("key")
        object_id = key[:100] if isinstance(key, str) and _is_plain(key) else ""
        return GatewayEvent(
            event_id=event["id"][:200], kind=kind, object_id=object_id, outcome=_read(event, kind, data)
        )

    def take_messages(self, *, limit: int = 50) -> tuple[tuple[bytes, dict[str, str]], ...]:
        """Hand over the webhooks that are due: bodies and headers, each once.

        A real provider posts them itself; offline, the task that works the inbox delivers them.
        """
        now = clock.now()
        self._settle(now)
        with transaction.atomic():
            rows = (
                FakeCharge.objects.select_for_update(skip_locked=True)
                .filter(is_told=False)
                .exclude(state__in=UNDECIDED)
                .order_by("created_at", "key")
            )
            told = list(rows[:limit])
            FakeCharge.objects.filter(key__in=[row.key for row in told]).update(is_told=True)
        return tuple(self.message(_outcome(row), event_id=f"evt_{row.reference}_{row.state}", at=now) for row in told)

    def message(self, outcome: Outcome, *, event_id: str, at: datetime) -> tuple[bytes, dict[str, str]]:
        """Write and sign the webhook that tells `outcome`."""
        event = {
            "id": event_id,
            "type": "charge.disputed" if outcome.state is PaymentState.REVIEW else f"charge.{outcome.state.value}",
            "account": outcome.account,
            "livemode": outcome.is_live,
            "data": {
                "key": outcome.key,
                "reference": outcome.reference,
                "checkout_id": outcome.checkout_id,
                "amount": outcome.amount_minor,
                "currency": outcome.currency,
                "reason": outcome.reason,
            },
        }
        body = json.dumps(event).encode()
        return body, {"Webhook-Signature": signing.sign(body=body, secret=conf().webhook_secrets[0], at=at)}

    def _settle(self, now: datetime) -> None:
        """Let slow charges succeed whose time has come."""
        FakeCharge.objects.filter(state=PaymentState.PROCESSING.value, settles_at__lte=now).update(
            state=PaymentState.SUCCEEDED.value,
            settles_at=None,
            is_told=False,
        )


def _outcome(row: FakeCharge) -> Outcome:
    return Outcome(
        key=row.key,
        reference=row.reference,
        checkout_id=row.checkout_id,
        state=PaymentState(row.state),
        amount_minor=row.amount_minor,
        currency=row.currency,
        account=FakeGateway.account,
        is_live=FakeGateway.is_live,
        reason=row.reason,
        action_url=payer_path(payment_id=row.key) if row.state == PaymentState.REQUIRES_ACTION.value else "",
    )


def _read(event: dict[str, object], kind: str, data: dict[str, object]) -> Outcome | None:
    """Read what an event says; None if it means nothing to us. Wrong values are kept: they are compared later."""
    told = {f"charge.{state.value}": state for state in (*FIRST_STATE.values(), PaymentState.REFUNDED)}
    told["charge.disputed"] = PaymentState.REVIEW
    state = told.get(kind)
    key, amount = data.get("key"), data.get("amount")
    if state is None or not isinstance(key, str) or not isinstance(amount, int) or isinstance(amount, bool):
        return None
    return Outcome(
        key=key,
        reference=str(data.get("reference", ""))[:100],
        checkout_id=str(data.get("checkout_id", "")),
        state=state,
        amount_minor=amount,
        currency=str(data.get("currency", "")),
        account=str(event.get("account", "")),
        is_live=event.get("livemode") is not False,
        reason="chargeback" if state is PaymentState.REVIEW else str(data.get("reason", ""))[:64],
    )


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and bool(text)
