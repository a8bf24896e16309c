"""Requests to Stripe: time-outs, repeats, the circuit breaker, and failures by what they mean for a payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import requests
import stripe
import structlog

from shop.checkout.conf import StripeConf
from shop.checkout.gateways.breaker import Breaker
from shop.checkout.gateways.port import GatewayDownError, GatewayTimeoutError

log = structlog.get_logger(__name__)

API_VERSION = "2026-10-28.endive"
"""The shapes that `stripe_reading` reads; a newer library does not change them."""
CONNECT_SECONDS, READ_SECONDS = 2, 5


class StripeApi:
    """One account's way to Stripe. Requests repeat themselves once, under the same idempotency key."""

    def __init__(self, settings: StripeConf) -> None:
        """Connect, lazily, with the settings' key."""
        self._breaker = Breaker()
        self._client = stripe.StripeClient(
            settings.secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": settings.api_base},
            max_network_retries=1,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
        )

    def get(self, path: str, **params: Any) -> Mapping[str, Any]:  # noqa: ANN401 - Stripe's
        """Read something; fails as `post` does."""
        return self._request("get", path, **params)

    def post(self, path: str, *, key: str, **params: Any) -> Mapping[str, Any]:  # noqa: ANN401 - Stripe's
        """Have something done, once for each `key`, unless Stripe has not answered for a while.

        :raises GatewayDownError: if it was not reached or did nothing.
        :raises GatewayTimeoutError: if it may have done what was asked.
        :raises StripeError: a card that was declined, or a request that Stripe does not take.
        """
        return self._request("post", path, idempotency_key=key, **params)

    def _request(self, method: str, path: str, **params: Any) -> Mapping[str, Any]:  # noqa: ANN401 - Stripe's
        if not self._breaker.may_ask():
            raise GatewayDownError
        try:
            answer = self._client.raw_request(method, path, **params)
        except stripe.APIConnectionError as error:
            self._breaker.failed()
            raise (GatewayDownError if _never_sent(error) else GatewayTimeoutError) from error
        except (stripe.CardError, stripe.InvalidRequestError):
            self._breaker.answered()
            raise
        except (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError) as error:
            log.error("stripe_refuses_us", kind=type(error).__name__, request=error.request_id)  # noqa: TRY400 - no trace is needed
            raise GatewayDownError from error
        except stripe.StripeError as error:  # its own failure: nobody knows what it did
            self._breaker.failed()
            log.warning("stripe_failed", status=error.http_status, request=error.request_id)
            raise GatewayTimeoutError from error
        self._breaker.answered()
        return cast("Mapping[str, Any]", answer.data)


def _never_sent(error: stripe.APIConnectionError) -> bool:
    """Tell whether no connection came about, so that Stripe knows nothing of the request."""
    cause = error.__cause__
    if isinstance(cause, requests.ConnectTimeout):
        return True
    return isinstance(cause, requests.ConnectionError) and "NewConnectionError" in repr(cause)
