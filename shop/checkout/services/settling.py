"""What happens to a payment after it began: ask the provider, apply what it says, tell the payer."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urljoin

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from shop.checkout import access, models, selectors
from shop.checkout.errors import GatewayUnavailableError, PaymentDeclinedError, PaymentUnknownError
from shop.checkout.gateways import gateway
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Charge, GatewayDownError, GatewayTimeoutError, Outcome
from shop.checkout.models.payments import UNREACHED_REASON
from shop.checkout.services.clearing import unlock_cart
from shop.checkout.services.ordering import lock_payment
from shop.checkout.services.outcomes import FREE, Effect, apply_outcome, free_outcome, reopen
from shop.checkout.types import PaymentState, PaymentView, Principal
from shop.core.db import retrying
from shop.core.errors import UnavailableError
from shop.core.money import Money

log = structlog.get_logger(__name__)

_OF_MANY = (PaymentState.REFUNDED, PaymentState.REVIEW)
"""States in which a payment may have an order that the news did not make."""


def finish_action(
    *, checkout_id: str, payment_id: str, principal: Principal, approve: bool, now: datetime
) -> PaymentView:
    """Play the customer at the offline bank's page: approve or refuse a payment that waits for it.

    :raises PaymentUnknownError: if there is no such payment of the offline gateway, or it is another's.
    :raises PaymentDeclinedError: if it was refused, or had failed before.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    provider = gateway(row.provider) if row.provider != FREE else None
    if not isinstance(provider, FakeGateway):
        raise PaymentUnknownError
    return settle(payment_id, provider.decide(key=payment_id, approve=approve), now)


def check_payment(*, checkout_id: str, payment_id: str, principal: Principal, now: datetime) -> PaymentView:
    """Ask the provider how a payment stands (“Check again”), and apply the answer; unanswered, it stays as it is.

    :raises PaymentUnknownError: if there is no such payment, or it is another's.
    :raises PaymentDeclinedError: if it failed.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    if row.state not in models.payments.RUNNING:
        return told(selectors.payment_view(row))
    if row.provider == FREE:
        return settle(payment_id, free_outcome(row), now)
    try:
        outcome = gateway(row.provider).find(key=payment_id, reference=row.provider_reference, since=row.created_at)
    except (GatewayDownError, GatewayTimeoutError):
        outcome = None
    return settle(payment_id, outcome, now) if outcome else selectors.payment_view(row)


def give_up_payment(*, checkout_id: str, payment_id: str, principal: Principal, now: datetime) -> PaymentView:
    """End a payment that waits for its payer, at the provider first, so that another way of paying can be chosen.

    One that is decided by now stays as it is; unanswered, it goes on waiting.

    :raises PaymentUnknownError: if there is no such payment, or it is another's.
    :raises PaymentDeclinedError: if it is ended, or failed before.
    :raises GatewayUnavailableError: if the provider did not answer: the payment may still succeed.
    """
    row = _payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    if row.state != PaymentState.REQUIRES_ACTION.value:
        return told(selectors.payment_view(row))
    try:
        outcome = gateway(row.provider).cancel(key=payment_id, reference=row.provider_reference, since=row.created_at)
    except (GatewayDownError, GatewayTimeoutError) as error:
        raise GatewayUnavailableError(retry_after_seconds=10) from error
    return settle(payment_id, outcome, now) if outcome else selectors.payment_view(row)


def _ask(payment: models.Payment, provider_token: str, *, owner: str, now: datetime) -> Outcome | None:
    """Charge outside any transaction. None: no answer in time, the payment is processing.

    :raises GatewayUnavailableError: if the provider was not reached.
    """
    if payment.provider == FREE:
        return free_outcome(payment)
    asked = Charge(
        key=payment.payment_id,
        checkout_id=payment.checkout_id,
        amount=Money(payment.amount_minor, payment.currency),
        token=provider_token,
        title=_("Your order"),
        return_url=urljoin(settings.BASE_URL, access.payer_path(payment_id=payment.payment_id)),
    )
    try:
        return gateway(payment.provider).charge(asked)
    except GatewayTimeoutError:
        waiting = models.Payment.objects.filter(pk=payment.pk, state=PaymentState.CREATED.value)
        waiting.update(state=PaymentState.PROCESSING.value)
        return None
    except GatewayDownError as error:
        _take_back(payment.payment_id, now)
        unlock_cart(owner, checkout_id=payment.checkout_id)
        raise GatewayUnavailableError(retry_after_seconds=10) from error


@retrying
def _take_back(payment_id: str, now: datetime) -> None:
    """Open the checkout again after a payment that never reached the provider; its reservation stays."""
    locked = lock_payment(payment_id)
    row = locked.payment
    if row.state != PaymentState.CREATED.value:
        return
    row.state, row.reason = PaymentState.FAILED.value, UNREACHED_REASON
    row.next_check_at, row.settled_at = None, now
    row.save()
    reopen(locked.checkout, row, release_cause="", now=now)


def charge(payment: models.Payment, provider_token: str, *, owner: str, now: datetime) -> PaymentView:
    """Charge a payment whose row is committed, apply the answer and tell the payer.

    :raises PaymentDeclinedError: if the provider refused.
    :raises GatewayUnavailableError: if the provider was not reached.
    """
    outcome = _ask(payment, provider_token, owner=owner, now=now)
    if outcome is None:
        return told(selectors.payment_view(_reload(payment.payment_id)))
    return settle(payment.payment_id, outcome, now)


def settle(payment_id: str, outcome: Outcome, now: datetime) -> PaymentView:
    """Apply what the provider said and tell the payer.

    :raises PaymentDeclinedError: if the payment failed.
    """
    try:
        applied = apply_outcome(outcome=outcome, now=now)
    except UnavailableError:  # the news is in the provider's books: webhook or reconciliation bring it again
        log.warning("outcome_not_applied", payment=payment_id)
        return told(selectors.payment_view(_reload(payment_id)))
    is_all_told = applied.effect is Effect.MOVED and applied.payment.state not in _OF_MANY
    if is_all_told and not applied.needs_capture:
        return told(applied.payment)
    return told(selectors.payment_view(_reload(payment_id)))


def told(payment: PaymentView) -> PaymentView:
    """Give a payment to its payer.

    :raises PaymentDeclinedError: if it failed.
    """
    if payment.state is PaymentState.FAILED:
        raise PaymentDeclinedError(payment.decline_reason, payment.payment_id)
    return payment


def _payment(*, checkout_id: str, payment_id: str, principal: Principal) -> models.Payment:
    selectors.get_payment(checkout_id=checkout_id, payment_id=payment_id, principal=principal)
    return _reload(payment_id)


def _reload(payment_id: str) -> models.Payment:
    return models.Payment.objects.select_related("order").get(pk=payment_id)
