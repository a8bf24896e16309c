"""Forget who bought: what the books need stays, a name, an address or a mail address does not."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import pgtrigger

from shop.checkout import models
from shop.checkout.errors import MoneyUnderWayError
from shop.checkout.models.payments import RUNNING
from shop.checkout.selectors.exporting import checkouts_of
from shop.checkout.services import rows
from shop.checkout.types import CheckoutState, PaymentState
from shop.core.db import retrying
from shop.core.db import rows as run

_UNSETTLED = (*RUNNING, PaymentState.REVIEW.value, PaymentState.REFUND_DUE.value)
_FROZEN = "checkout.Order:order_never_changed"

# The country stays: taxes go by it.
_BLANK_ORDERS = """
UPDATE checkout_order
   SET user_id = NULL, email = '', address = jsonb_strip_nulls(jsonb_build_object('country', address->'country'))
 WHERE checkout_id = ANY(%s) RETURNING number
"""

# News of a charge or a refund has an id of its own, and names the payment inside. What still waits is left whole.
_BLANK_NEWS = """
UPDATE checkout_webhookevent e SET body = ''
 WHERE e.received_at >= %(since)s AND e.state <> 'received'
   AND EXISTS (SELECT 1 FROM unnest(%(names)s::text[]) AS n(name) WHERE strpos(e.body, n.name) > 0)
RETURNING e.id
"""


def require_settled(*, user_id: int | None, guest_email: str = "") -> None:
    """Refuse while money of this buyer is under way: a refund or a late success still has to be told to somebody.

    :raises MoneyUnderWayError: if a payment runs, is in review or has to be refunded, or a refund waits for a second
        person.
    """
    _require_settled(list(checkouts_of(user_id=user_id, guest_email=guest_email).values_list("pk", flat=True)))


def forget_buyer(*, user_id: int | None, guest_email: str = "", now: datetime) -> None:
    """Take the person out of a customer's checkouts and orders, and out of those of guests with this mail address.

    Open checkouts are cancelled first, each by itself, and give back what they reserved: stock is locked in order
    within one of them, not from one to the next. Links to orders end; stored answers and the bodies of the provider's
    news are emptied. Numbers, lines, amounts, payments and the country stay. All of that or nothing; safe to repeat. An
    empty address names no guest.

    :raises MoneyUnderWayError: as `require_settled`.
    """
    require_settled(user_id=user_id, guest_email=guest_email)
    of_buyer = checkouts_of(user_id=user_id, guest_email=guest_email)
    for checkout_id in of_buyer.filter(state=CheckoutState.OPEN.value).order_by("pk").values_list("pk", flat=True):
        _cancel(checkout_id, now)

    @retrying
    def write() -> None:
        found = list(
            checkouts_of(user_id=user_id, guest_email=guest_email).select_for_update(no_key=True).order_by("pk")
        )
        ids = [row.pk for row in found]
        _require_settled(ids)
        for row in found:  # one that was opened meanwhile
            _end(row, now)
        models.Checkout.objects.filter(pk__in=ids).update(email="", address={}, consent_reminders=False)
        with pgtrigger.ignore(_FROZEN):
            numbers = tuple(number for (number,) in run(_BLANK_ORDERS, [ids]))
        models.OrderToken.objects.filter(order__in=numbers).delete()
        models.IdempotencyRecord.objects.filter(principal__in={row.owner for row in found}).delete()
        payments = models.Payment.objects.filter(checkout__in=ids)
        payments.exclude(action_url="").update(action_url="")
        paid = list(payments.order_by("created_at").values_list("pk", "provider_reference", "created_at"))
        if paid:
            names = [name for payment_id, reference, _ in paid for name in (payment_id, reference) if name]
            run(_BLANK_NEWS, {"since": paid[0][2], "names": names})

    write()


@retrying
def _cancel(checkout_id: str, now: datetime) -> None:
    _end(models.Checkout.objects.select_for_update(no_key=True).order_by("pk").get(pk=checkout_id), now)


def _end(row: models.Checkout, now: datetime) -> None:
    if row.state == CheckoutState.OPEN.value:
        rows.end(row, state=CheckoutState.CANCELLED, cause="customer_erased", now=now)


def _require_settled(ids: Collection[str]) -> None:
    payments = models.Payment.objects.filter(checkout__in=ids)
    asked = models.RefundRequest.objects.filter(payment__in=payments, state=models.RefundState.ASKED)
    if payments.filter(state__in=_UNSETTLED).exists() or asked.exists():
        raise MoneyUnderWayError
