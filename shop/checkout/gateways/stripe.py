"""Stripe behind the port: its hosted page for shoppers, PaymentIntents for apps, captured once the order is placed.

A shopper pays on Stripe's own page (a Checkout Session), which needs no script of ours and brings no card number near
us. An app sends the id of a PaymentMethod that Stripe's SDK made. Either way the money is only held at first
(`capture_method: manual`): it is taken when the order stands, so that sold-out items cost nobody a refund.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import stripe
import structlog

from shop.checkout.conf import StripeConf, conf
from shop.checkout.errors import WebhookRefusedError
from shop.checkout.gateways import signing
from shop.checkout.gateways.port import Charge, GatewayEvent, GatewayTimeoutError, Outcome
from shop.checkout.gateways.stripe_api import StripeApi
from shop.checkout.gateways.stripe_reading import HOSTED, Reader
from shop.checkout.types import PaymentState
from shop.core import clock
from shop.core.errors import ErrorDetail, RejectedError

log = structlog.get_logger(__name__)

PAGES = 5
PAGE = 100
SESSION_SECONDS = 31 * 60
"""The shortest life that Stripe gives its page is half an hour; a minute more bears clocks that differ."""
EARLY = timedelta(minutes=5)
"""Stripe's clock may be behind ours when its books are read."""
SIGNATURE = "stripe-signature"
_METHOD = re.compile(r"pm_[A-Za-z0-9_]{4,200}", re.ASCII)


class StripeGateway:
    """One Stripe account."""

    name = "stripe"

    def __init__(self, settings: StripeConf) -> None:
        """Connect, lazily, with the settings' key."""
        self.account = settings.account
        self.is_live = settings.is_live
        self._reader = Reader(settings.account)
        self._api = StripeApi(settings)

    def check_token(self, token: str) -> None:
        """Take `hosted`, or the id of a PaymentMethod.

        :raises RejectedError: if it is neither.
        """
        if token != HOSTED and not _METHOD.fullmatch(token):
            choices = {"choices": f"{HOSTED}, pm_…"}
            raise RejectedError(errors=(ErrorDetail("/provider_token", "out_of_choice", choices),))

    def charge(self, charge: Charge) -> Outcome:
        """Open the hosted page, or confirm a PaymentIntent; the money is held, not taken.

        :raises GatewayDownError: if Stripe was not reached, or takes nothing from us now.
        :raises GatewayTimeoutError: if no answer came in time, or none that tells.
        """
        notes = {"payment_id": charge.key, "checkout_id": charge.checkout_id}
        money = {"currency": charge.amount.currency.lower()}
        if charge.token == HOSTED:
            price = money | {"unit_amount": charge.amount.minor, "product_data": {"name": charge.title}}
            found = self._api.post(
                "/v1/checkout/sessions",
                key=charge.key,
                mode="payment",
                client_reference_id=charge.key,
                line_items=[{"quantity": 1, "price_data": price}],
                metadata=notes,
                payment_intent_data={"capture_method": "manual", "metadata": notes | {"way": HOSTED}},
                success_url=charge.return_url,
                cancel_url=charge.return_url,
                expires_at=int(clock.now().timestamp()) + SESSION_SECONDS,
            )
            return self._known(self._reader.session(found))
        try:
            found = self._api.post(
                "/v1/payment_intents",
                key=charge.key,
                amount=charge.amount.minor,
                **money,
                payment_method=charge.token,
                confirm="true",
                capture_method="manual",
                return_url=charge.return_url,
                metadata=notes,
            )
        except stripe.CardError as error:
            found = _declined(error)
        except stripe.InvalidRequestError as error:
            log.warning("stripe_refused", code=error.code, param=error.param)
            return self._refused(charge, error.code or "invalid_request")
        return self._known(self._reader.intent(found))

    def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """Look a payment up by Stripe's id, or, where its first answer was lost, among all since it began."""
        if not reference:
            return self._search(key, since or clock.now() - timedelta(hours=2))
        if reference.startswith("cs_"):
            return self._reader.session(self._api.get(f"/v1/checkout/sessions/{reference}", expand=_SESSION))
        return self._reader.intent(self._api.get(f"/v1/payment_intents/{reference}", expand=["latest_charge"]))

    def cancel(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """End a payment that is not decided; money that is held already is decided."""
        known = self.find(key=key, reference=reference, since=since)
        if known is None or known.state not in _UNDECIDED:
            return known
        is_page = reference.startswith("cs_")
        path = (
            f"/v1/checkout/sessions/{reference}/expire" if is_page else f"/v1/payment_intents/{known.reference}/cancel"
        )
        try:
            self._api.post(path, key=f"{key}-cancel")
        except stripe.InvalidRequestError as error:  # decided in between
            log.info("stripe_not_canceled", code=error.code)
        return self.find(key=key, reference=reference or known.reference)

    def capture(self, *, key: str, reference: str = "") -> Outcome:
        """Take the money that is held; taken already is success."""
        known = self._known(self.find(key=key, reference=reference))
        if not known.needs_capture:
            return known
        try:
            self._api.post(f"/v1/payment_intents/{known.reference}/capture", key=f"{key}-capture")
        except stripe.InvalidRequestError as error:  # captured or canceled in between
            log.warning("stripe_not_captured", code=error.code)
        return self._known(self.find(key=key, reference=known.reference))

    def refund(self, *, key: str, reference: str = "") -> Outcome:
        """Give all of it back, once; money that was only held is let go."""
        known = self._known(self.find(key=key, reference=reference))
        intent = known.reference
        if known.needs_capture:
            self._api.post(f"/v1/payment_intents/{intent}/cancel", key=f"{key}-cancel")
        elif known.state is PaymentState.SUCCEEDED:
            self._api.post("/v1/refunds", key=f"{key}-refund", payment_intent=intent)
        after = self._known(self.find(key=key, reference=intent))
        is_let_go = after.state is PaymentState.FAILED and after.reason == "canceled"
        return Outcome(**_fields(after) | {"state": PaymentState.REFUNDED, "reason": ""}) if is_let_go else after

    def list_charges(self, *, since: datetime) -> tuple[Outcome, ...]:
        """List our intents since a time, oldest first, at most 500; those of other uses of the account are left out."""
        found = [read for intent in self._pages("/v1/payment_intents", since) if (read := self._reader.intent(intent))]
        return tuple(reversed(found))

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Check `Stripe-Signature`, with a time window to both sides (Stripe's own check takes any future time).

        :raises WebhookRefusedError: if it is not good.
        """
        signing.verify(
            body=body,
            headers=headers,
            header=SIGNATURE,
            secrets=conf().webhook_secrets,
            tolerance_seconds=conf().webhook_tolerance_seconds,
            now=now,
        )

    def read_event(self, *, body: bytes) -> GatewayEvent:
        """Read a webhook.

        :raises WebhookRefusedError: if it is not a JSON object of Stripe's with an id.
        """
        try:
            event = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise WebhookRefusedError from error
        if not isinstance(event, dict) or not re.fullmatch(r"evt_[A-Za-z0-9_]{1,190}", str(event.get("id", ""))):
            raise WebhookRefusedError
        data = event.get("data")
        found = data.get("object") if isinstance(data, dict) else None
        object_id = str(found.get("id", "")) if isinstance(found, dict) else ""
        kind = str(event.get("type", ""))
        return GatewayEvent(
            event_id=event["id"],
            kind=kind[:100] if kind.isascii() and kind.isprintable() else "",
            object_id=object_id[:100] if object_id.isascii() and object_id.isprintable() else "",
            outcome=self._reader.event(event),
        )

    def _search(self, key: str, since: datetime) -> Outcome | None:
        """Find a payment by the note that it bears: an intent, or a hosted page that has none yet."""
        for path, read in (
            ("/v1/payment_intents", self._reader.intent),
            ("/v1/checkout/sessions", self._reader.session),
        ):
            for found in self._pages(path, since):
                notes = found.get("metadata")
                if isinstance(notes, dict) and notes.get("payment_id") == key:
                    return read(found)
        return None

    def _pages(self, path: str, since: datetime) -> Iterator[Mapping[str, Any]]:
        """List what is in the books since a time, newest first."""
        after: dict[str, Any] = {}
        expand = ["data.latest_charge"] if path.endswith("intents") else ["data.payment_intent"]
        for _ in range(PAGES):
            created = {"gte": int((since - EARLY).timestamp())}
            page = self._api.get(path, created=created, limit=PAGE, expand=expand, **after)
            rows = page.get("data") or []
            yield from rows
            if page.get("has_more") is not True or not rows:
                return
            after = {"starting_after": rows[-1]["id"]}

    def _refused(self, charge: Charge, reason: str) -> Outcome:
        return Outcome(
            key=charge.key,
            reference="",
            checkout_id=charge.checkout_id,
            state=PaymentState.FAILED,
            amount_minor=charge.amount.minor,
            currency=charge.amount.currency,
            account=self.account,
            is_live=self.is_live,
            reason=reason[:64],
        )

    @staticmethod
    def _known(read: Outcome | None) -> Outcome:
        """Take an answer that must be there; one that cannot be read tells nothing, as if it had not come."""
        if read is None:
            log.error("stripe_answer_not_understood")
            raise GatewayTimeoutError
        return read


_UNDECIDED = (PaymentState.PROCESSING, PaymentState.REQUIRES_ACTION)
_SESSION = ["payment_intent", "payment_intent.latest_charge"]


def _declined(error: stripe.CardError) -> Mapping[str, Any]:
    """Take the intent out of the answer to a declined card."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    found = body.get("error", {}).get("payment_intent")
    return found if isinstance(found, dict) else {}


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}
