"""What a payment gateway must be able to do; everything it says comes as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.checkout.types import PaymentState
from shop.core.money import Money


class GatewayDownError(Exception):
    """The provider could not be reached: it knows nothing of the request."""


class GatewayTimeoutError(Exception):
    """No answer in time: the provider may or may not have done what was asked."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What the provider is asked to take. `key` is our payment's id: the same key is never charged twice."""

    key: str
    checkout_id: str
    amount: Money
    token: str
    title: str = ""
    """What the payer reads beside the amount."""
    return_url: str = ""
    """Where a provider with pages of its own sends the payer back to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider says about one charge: raw values, compared with our payment before they are believed."""

    key: str
    """Our payment's id; empty if the provider names only its own `reference`."""
    reference: str
    checkout_id: str
    state: PaymentState
    """PROCESSING, REQUIRES_ACTION, FAILED, SUCCEEDED, REFUNDED; or REVIEW, which people have to look at."""
    amount_minor: int
    currency: str
    account: str
    is_live: bool
    reason: str = ""
    action_url: str = ""
    """Where the payer has to go: while REQUIRES_ACTION."""
    needs_capture: bool = False
    """SUCCEEDED, and the money is held; it has to be taken once the order is placed."""


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A verified webhook. `outcome` is None if its kind or its object means nothing to us."""

    event_id: str
    kind: str
    object_id: str
    outcome: Outcome | None


class Gateway(Protocol):
    """A provider. Each call has a time-out of its own (2 s to connect, 5 s to read) and stands outside transactions."""

    name: str
    account: str
    is_live: bool

    def check_token(self, token: str) -> None:
        """Refuse a token of another shape, before anything is written.

        :raises RejectedError: if the provider takes no such token.
        """
        ...

    def charge(self, charge: Charge) -> Outcome:
        """Take money, or repeat the answer given for the same key.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def find(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """Look a charge up by our key; None if the provider has none.

        `reference` is the provider's own, if its answer reached us; `since` is when the payment began, for a provider
        that can only be asked by its own references and has to look through its books.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def cancel(self, *, key: str, reference: str = "", since: datetime | None = None) -> Outcome | None:
        """End a charge that is not decided yet, and tell how it stands afterwards; None if the provider has none.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def capture(self, *, key: str, reference: str = "") -> Outcome:
        """Take money that is held, once, however often it is asked.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def refund(self, *, key: str, reference: str = "") -> Outcome:
        """Give all of a charge back, once, however often it is asked.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def list_charges(self, *, since: datetime) -> tuple[Outcome, ...]:
        """List what the provider has in its books since a time, oldest first, at most 500.

        :raises GatewayDownError: if the provider was not reached.
        :raises GatewayTimeoutError: if no answer came in time.
        """
        ...

    def verify(self, *, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Check that a webhook comes from the provider, over its raw bytes.

        :raises WebhookRefusedError: if the signature is missing or wrong, or its time is too far off, either way.
        """
        ...

    def read_event(self, *, body: bytes) -> GatewayEvent:
        """Read a verified webhook.

        :raises WebhookRefusedError: if it is not JSON of the provider's shape, or bears no id.
        """
        ...
