"""Compare our payments with the provider's books: money that we were not told of, and refunds that are due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from shop.checkout import models, rules
from shop.checkout.conf import conf
from shop.checkout.errors import PaymentUnknownError
from shop.checkout.gateways import gateway
from shop.checkout.gateways.port import GatewayDownError, GatewayTimeoutError, Outcome
from shop.checkout.services.capturing import capture
from shop.checkout.services.outcomes import FREE, UNDECIDED, apply_outcome, free_outcome
from shop.checkout.types import PaymentState
from shop.core.db import rows
from shop.core.errors import Refusal

log = structlog.get_logger(__name__)

BATCH = 50
NOT_FOUND_SECONDS = 60
"""So long after the start a payment that the provider does not know never reached it: all time-outs are over."""
CANCEL_SECONDS = 150
"""So long before its reservation ends a payment that is undecided is ended at the provider: units that are given back
must not be paid for. It is looked at once a minute."""
BOOKS_HOURS = 2
"""How far back the provider's own list is compared."""

# The lease is the next check: a payment whose worker died is simply due again, a little later each time.
_CLAIM = """
WITH due AS MATERIALIZED (
       SELECT payment_id FROM checkout_payment
        WHERE state = ANY(%(states)s) AND next_check_at <= %(now)s
        ORDER BY next_check_at, payment_id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE checkout_payment p
   SET checks = p.checks + 1,
       next_check_at = %(now)s + make_interval(secs => least(%(longest)s, 10 * power(2, least(p.checks, 10))))
  FROM due WHERE p.payment_id = due.payment_id RETURNING p.payment_id
"""


def reconcile_payments(*, now: datetime) -> int:
    """Ask the provider about every undecided payment that is due, work off refunds, and read the provider's own list.

    A payment that the provider never got is failed a minute after its start; one that is still undecided when its
    reservation's pin is about to end is cancelled at the provider first. Gives the number of payments looked at.
    """
    looked_at = 0
    for payment_id in _claim(models.payments.RUNNING, now, longest=60):
        looked_at += 1
        try:
            _check(models.Payment.objects.get(pk=payment_id), now)
        except Exception:  # one payment that breaks us must not hold up the others; it is due again later
            log.exception("payment_check_failed", payment=payment_id)
    return looked_at + _capture(now) + refund_payments(now=now) + _read_books(now)


def _capture(now: datetime) -> int:
    """Take the money of orders whose process died, or was not answered, before it could."""
    due = _claim((PaymentState.SUCCEEDED.value,), now)
    for payment_id in due:
        try:
            capture(payment_id=payment_id)
        except Exception:  # one payment that breaks us must not hold up the others
            log.exception("capture_failed", payment=payment_id)
    return len(due)


def refund_payments(*, now: datetime) -> int:
    """Give back what has to be given back, once, whoever asks how often: the payment's id is the provider's key."""
    refunded = 0
    for payment_id in _claim((PaymentState.REFUND_DUE.value,), now):
        payment = models.Payment.objects.get(pk=payment_id)
        try:
            _apply(_refund(payment), now)
        except (GatewayDownError, GatewayTimeoutError):
            log.warning("refund_waits", payment=payment_id)
            continue
        except Exception:  # one payment that breaks us must not hold up the others; it is due again later
            log.exception("refund_failed", payment=payment_id)
            continue
        refunded += 1
    return refunded


def _refund(payment: models.Payment) -> Outcome:
    if payment.provider == FREE:  # nothing was taken, and nobody is asked
        return replace(free_outcome(payment), state=PaymentState.REFUNDED)
    return gateway(payment.provider).refund(key=payment.payment_id, reference=payment.provider_reference)


def _claim(states: tuple[str, ...], now: datetime, *, longest: int = 300) -> list[str]:
    values = {"states": list(states), "now": now, "batch": BATCH, "longest": longest}
    return [row[0] for row in rows(_CLAIM, values)]


def _check(payment: models.Payment, now: datetime) -> None:
    if payment.provider == FREE:
        _apply(free_outcome(payment), now)
        return
    age = now - payment.created_at
    source = gateway(payment.provider)
    pin = conf().pin_seconds
    known = {"key": payment.payment_id, "reference": payment.provider_reference}
    try:
        outcome = source.find(**known, since=payment.created_at)
        is_undecided = outcome is not None and outcome.state in UNDECIDED
        if is_undecided and age > timedelta(seconds=max(pin // 2, pin - CANCEL_SECONDS)):
            outcome = source.cancel(**known, since=payment.created_at)
    except (GatewayDownError, GatewayTimeoutError):
        log.warning("payment_not_checked", payment=payment.payment_id)
        return
    if outcome is None and age > timedelta(seconds=NOT_FOUND_SECONDS):
        outcome = _never_arrived(payment)
    if outcome is not None:
        _apply(outcome, now)


def _never_arrived(payment: models.Payment) -> Outcome:
    source = gateway(payment.provider)
    return Outcome(
        key=payment.payment_id,
        reference="",
        checkout_id=payment.checkout_id,
        state=PaymentState.FAILED,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        account=source.account,
        is_live=source.is_live,
        reason="not_received",
    )


def _read_books(now: datetime) -> int:
    """Replay what the provider's list knows better than we do; charges that are none of ours are an alarm."""
    source = gateway(conf().gateway)
    try:
        charges = source.list_charges(since=now - timedelta(hours=BOOKS_HOURS))
    except (GatewayDownError, GatewayTimeoutError):
        log.warning("books_not_read")
        return 0
    ours = dict(
        models.Payment.objects.filter(pk__in=[charge.key for charge in charges]).values_list("payment_id", "state")
    )
    news = [
        charge
        for charge in charges
        if charge.key not in ours or rules.may_move(PaymentState(ours[charge.key]), charge.state)
    ]
    for charge in news:
        _apply(charge, now)
    return len(news)


def _apply(outcome: Outcome, now: datetime) -> None:
    try:
        apply_outcome(outcome=outcome, now=now)
    except PaymentUnknownError:
        log.error("charge_without_payment", reference=outcome.reference)  # noqa: TRY400 - no trace is needed
    except Refusal as error:
        log.warning("outcome_not_applied", payment=outcome.key, reason=error.code)
