"""Reads of checkouts, payments and orders. Ownership is part of each query: “not yours” is “absent”."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Min, Q, QuerySet

from inventory import selectors as inventory
from inventory.errors import ReservationUnknownError
from inventory.messages import release_words
from inventory.types import ReservationState, ReservationView
from pricing.types import read_discounts
from shop.catalog import selectors as catalog
from shop.checkout import access, models, rules
from shop.checkout.errors import CheckoutCancelledError, CheckoutUnknownError, OrderUnknownError, PaymentUnknownError
from shop.checkout.types import (
    Address,
    Backlog,
    CheckoutLine,
    CheckoutState,
    CheckoutView,
    OrderLineView,
    OrderSlice,
    OrderView,
    PaymentState,
    PaymentView,
    Principal,
)
from shop.core.errors import ErrorDetail, RejectedError
from shop.core.money import Money

TOO_LATE = ("sold_out", "code_used_up")
"""Why a payment that succeeded made no order: what it was for had gone to somebody else."""
_ID = re.compile(r"[a-z]{2,5}_[0-9A-Z]{24}", re.ASCII)


def is_id(text: str) -> bool:
    """Tell whether `text` has the shape of one of our ids. Nothing else is looked up."""
    return _ID.fullmatch(text) is not None


def pointer(sku_id: str) -> str:
    """Point at a line of the cart, as JSON Pointer (RFC 6901) escapes it."""
    return "/items/" + sku_id.replace("~", "~0").replace("/", "~1")


def principal_of(owner: str) -> Principal:
    """Name the owner of rows as the one who asks: for tasks and staff, who act for them."""
    return Principal(owner=owner, user_id=int(owner[2:]) if owner.startswith("u:") else None)


def get_checkout(
    *,
    checkout_id: str,
    principal: Principal,
    now: datetime,
    reservation: ReservationView | None = None,
    is_new: bool = False,
) -> CheckoutView:
    """Show a checkout to its owner.

    Five queries; `reservation` spares one where the caller has just got it, `is_new` one where nobody can have paid.

    :raises CheckoutUnknownError: if there is none of this id, or it is another's.
    :raises CheckoutCancelledError: if it was cancelled.
    """
    mine = models.Checkout.objects.filter(owner=principal.owner, checkout_id=checkout_id)
    row = mine.prefetch_related("lines").select_related("order").first() if is_id(checkout_id) else None
    if row is None:
        raise CheckoutUnknownError
    if row.state == CheckoutState.CANCELLED.value:
        raise CheckoutCancelledError
    return _checkout_view(row, now, reservation, has_payments=not is_new)


def find_open_checkout(*, principal: Principal, now: datetime) -> CheckoutView | None:
    """Find the checkout that this principal has under way: the one being paid first, else the open one."""
    live = models.Checkout.objects.filter(owner=principal.owner, state__in=models.checkouts.LIVE)
    row = live.prefetch_related("lines").select_related("order").order_by("-state", "-created_at").first()
    return _checkout_view(row, now) if row else None


def list_live_ids(*, checkout_ids: Collection[str]) -> frozenset[str]:
    """Tell which of these checkouts are open or being paid (one query)."""
    live = models.Checkout.objects.filter(checkout_id__in=set(checkout_ids), state__in=models.checkouts.LIVE)
    return frozenset(live.values_list("checkout_id", flat=True))


def get_payment(*, checkout_id: str, payment_id: str, principal: Principal) -> PaymentView:
    """Show a payment to the checkout's owner.

    :raises PaymentUnknownError: if there is none of this id in this checkout, or it is another's.
    """
    row = (
        models.Payment.objects.filter(payment_id=payment_id, checkout_id=checkout_id, checkout__owner=principal.owner)
        .select_related("order")
        .first()
        if is_id(payment_id) and is_id(checkout_id)
        else None
    )
    if row is None:
        raise PaymentUnknownError
    return payment_view(row)


def get_payment_for_payer(*, token: str) -> tuple[PaymentView, Principal]:
    """Show a payment to whoever holds its payer's link, and tell whose it is.

    :raises PaymentUnknownError: if the link is not ours, or is too old.
    """
    payment_id = access.verify_payer(token=token)
    row = models.Payment.objects.filter(payment_id=payment_id).select_related("order", "checkout").first()
    if row is None:
        raise PaymentUnknownError
    return payment_view(row), principal_of(row.checkout.owner)


def payment_view(row: models.Payment) -> PaymentView:
    """Show a payment; its order, if any, is named by number."""
    order = getattr(row, "order", None)
    return PaymentView(
        payment_id=row.payment_id,
        checkout_id=row.checkout_id,
        state=PaymentState(row.state),
        amount=Money(row.amount_minor, row.currency),
        order_number=order.number if order else "",
        decline_reason=row.reason if row.state == PaymentState.FAILED.value else "",
        action_url=_action_url(row),
    )


def _action_url(row: models.Payment) -> str:
    return row.action_url if row.state == PaymentState.REQUIRES_ACTION.value else ""


def get_order(*, number: str, principal: Principal | None = None, token: str | None = None) -> OrderView:
    """Show an order to its owner, or to whoever has the secret from its mail.

    :raises OrderUnknownError: if there is none of this number, or neither fits it.
    """
    allowed = Q(pk__in=[])
    if principal is not None:
        allowed |= Q(owner=principal.owner)
    if token is not None and access.verify_token(token=token) == number:
        allowed |= Q(number=number)
    row = _orders().filter(allowed, number=number).first() if is_id(number) else None
    if row is None:
        raise OrderUnknownError
    return _order_view(row)


def find_order(*, number: str, email: str) -> OrderView | None:
    """Find an order by its number and the mail address it was placed with, in any case. The edge limits the tries."""
    row = (
        _orders().filter(number=number, email__iexact=email.strip()).first()
        if is_id(number) and "\x00" not in email
        else None
    )
    return _order_view(row) if row else None


def list_orders(*, principal: Principal, limit: int = 20, cursor: str = "") -> OrderSlice:
    """List a principal's orders, newest first (two queries).

    :raises RejectedError: if the cursor is not one of ours.
    """
    mine = _orders().filter(owner=principal.owner).order_by("-placed_at", "-number")
    if cursor:
        placed_at, number = _read_cursor(cursor)
        mine = mine.filter(Q(placed_at__lt=placed_at) | Q(placed_at=placed_at, number__lt=number))
    found = list(mine[: limit + 1])
    shown = found[:limit]
    next_cursor = _cursor(shown[-1]) if len(found) > limit else ""
    return OrderSlice(orders=tuple(_order_view(row) for row in shown), next_cursor=next_cursor)


def find_last_address(*, principal: Principal) -> Address | None:
    """Give where a customer's last order went, for the form of the next; None for guests and for a first order."""
    if principal.user_id is None:
        return None
    mine = models.Order.objects.filter(owner=principal.owner).order_by("-placed_at")
    return address_of(mine.values_list("address", flat=True).first() or {})


def find_order_number(*, owner: str, cart_content_version: int) -> str:
    """Find the order of one cart content; empty if there is none."""
    mine = models.Order.objects.filter(owner=owner, cart_content_version=cart_content_version)
    return mine.values_list("number", flat=True).first() or ""


def list_order_numbers(*, placed_from: datetime, after: str = "", limit: int = 500) -> tuple[tuple[str, datetime], ...]:
    """List numbers and times of orders, oldest first, for whoever follows them: later than a time and number."""
    since = models.Order.objects.filter(
        Q(placed_at__gt=placed_from) | Q(placed_at=placed_from, number__gt=after),
    )
    return tuple(since.order_by("placed_at", "number").values_list("number", "placed_at")[:limit])


def list_refunds(*, settled_from: datetime, after: str = "", limit: int = 500) -> tuple[tuple[str, datetime], ...]:
    """List ids and times of payments that came too late, oldest first: later than a time and id."""
    since = models.Payment.objects.filter(
        Q(settled_at__gt=settled_from) | Q(settled_at=settled_from, payment_id__gt=after),
        state__in=[PaymentState.REFUND_DUE.value, PaymentState.REFUNDED.value],
        reason__in=TOO_LATE,
    )
    pairs = since.order_by("settled_at", "payment_id").values_list("payment_id", "settled_at")[:limit]
    return tuple((payment_id, at) for payment_id, at in pairs if at is not None)


def get_order_for_mail(*, number: str) -> OrderView:
    """Show an order to the sender of its mail.

    :raises OrderUnknownError: if there is none of this number.
    """
    row = _orders().filter(number=number).first()
    if row is None:
        raise OrderUnknownError
    return _order_view(row)


def get_refund_for_mail(*, payment_id: str) -> tuple[PaymentView, str, str]:
    """Show a refunded payment to the sender of its mail: the payment, mail address, language.

    :raises PaymentUnknownError: if there is none of this id.
    """
    row = models.Payment.objects.filter(payment_id=payment_id).select_related("checkout", "order").first()
    if row is None:
        raise PaymentUnknownError
    return payment_view(row), row.checkout.email, row.checkout.language


def backlog(*, now: datetime) -> Backlog:
    """Tell how old the oldest undone work is (four queries, each on a partial index)."""
    grace = now - timedelta(seconds=1)
    webhooks = models.WebhookEvent.objects.filter(state=models.WebhookState.RECEIVED).aggregate(at=Min("received_at"))[
        "at"
    ]
    payments = models.Payment.objects.filter(next_check_at__lt=grace).aggregate(at=Min("next_check_at"))["at"]
    carts = models.Order.objects.filter(cart_cleared_at__isnull=True).aggregate(at=Min("placed_at"))["at"]
    return Backlog(
        webhooks_seconds=_age(webhooks, now),
        payments_seconds=_age(payments, now),
        carts_seconds=_age(carts, now),
        reviews=models.Payment.objects.filter(state=PaymentState.REVIEW.value).count(),
    )


def address_of(stored: dict[str, str]) -> Address | None:
    """Read an address as stored; None where there is none yet."""
    if not stored.get("line1"):
        return None
    return Address(**{field.name: stored.get(field.name, "") for field in fields(Address)})


def _age(at: datetime | None, now: datetime) -> int:
    return max(0, int((now - at).total_seconds())) if at else 0


def _checkout_view(
    row: models.Checkout, now: datetime, known: ReservationView | None = None, *, has_payments: bool = True
) -> CheckoutView:
    lines: Sequence[models.CheckoutLine] = list(row.lines.all())
    cards = catalog.list_cards(sku_ids=[line.sku_id for line in lines])
    reservation = known or _reservation(row)
    state = _reservation_state(reservation, now)
    payment = row.payments.order_by("-created_at", "-payment_id").first() if has_payments else None
    address = address_of(row.address)
    order = getattr(row, "order", None)
    has_failed = payment is not None and payment.state == PaymentState.FAILED.value
    return CheckoutView(
        checkout_id=row.checkout_id,
        state=CheckoutState(row.state),
        version=row.version,
        server_time=now,
        email=row.email,
        address=address,
        consent_reminders=row.consent_reminders,
        lines=tuple(
            CheckoutLine(
                sku_id=line.sku_id,
                title=line.title,
                quantity=line.quantity,
                unit_price=Money(line.unit_price_minor, row.currency),
                line_total=Money(line.line_total_minor, row.currency),
                price_at_add=None if line.price_at_add_minor is None else Money(line.price_at_add_minor, row.currency),
                card=cards.get(line.sku_id),
                discount=Money(line.discount_minor, row.currency),
            )
            for line in lines
        ),
        currency=row.currency,
        subtotal=Money(row.subtotal_minor, row.currency),
        total=Money(row.total_minor, row.currency),
        reservation_id=row.reservation_id,
        reservation_state=state,
        reservation_expires_at=reservation.expires_at if reservation else None,
        renewals_left=max(0, settings.INVENTORY.renewals - reservation.renewals) if reservation else 0,
        lock_expires_at=row.lock_expires_at,
        cart_version=row.cart_version,
        cart_content_version=row.cart_content_version,
        requirements=rules.requirements(
            email=row.email,
            has_address=address is not None,
            is_reserved=state in (ReservationState.SOFT, ReservationState.HARD),
        ),
        order_number=order.number if order else "",
        last_payment_id=payment.payment_id if payment else "",
        last_payment_state=PaymentState(payment.state) if payment else None,
        decline_reason=payment.reason if payment and has_failed else "",
        release_reason=release_words(reservation.cause) if reservation else "",
        action_url=_action_url(payment) if payment else "",
        refund=Money(payment.amount_minor, payment.currency) if payment and _came_too_late(payment) else None,
        discounts=read_discounts(row.discounts, row.currency),
    )


def _came_too_late(payment: models.Payment) -> bool:
    is_given_back = payment.state in (PaymentState.REFUND_DUE.value, PaymentState.REFUNDED.value)
    return is_given_back and payment.reason in TOO_LATE


def _reservation(row: models.Checkout) -> ReservationView | None:
    if not row.reservation_id:
        return None
    try:
        return inventory.get_reservation(reservation_id=row.reservation_id)
    except ReservationUnknownError:
        return None


def _reservation_state(reservation: ReservationView | None, now: datetime) -> ReservationState:
    if reservation is None:
        return ReservationState.RELEASED
    if reservation.state is ReservationState.SOFT and reservation.expires_at <= now:
        return ReservationState.EXPIRED
    return reservation.state


def _orders() -> QuerySet[models.Order]:
    return models.Order.objects.select_related("payment").prefetch_related("lines")


def _order_view(row: models.Order) -> OrderView:
    return OrderView(
        number=row.number,
        placed_at=row.placed_at,
        email=row.email,
        address=Address(**{field.name: row.address.get(field.name, "") for field in fields(Address)}),
        lines=tuple(
            OrderLineView(
                sku_id=line.sku_id,
                title=line.title,
                quantity=line.quantity,
                unit_price=Money(line.unit_price_minor, row.currency),
                line_total=Money(line.line_total_minor, row.currency),
                image_url=line.image_url,
                discount=Money(line.discount_minor, row.currency),
            )
            for line in row.lines.all()
        ),
        subtotal=Money(row.subtotal_minor, row.currency),
        total=Money(row.total_minor, row.currency),
        payment_state=PaymentState(row.payment.state),
        owner=row.owner,
        discounts=read_discounts(row.discounts, row.currency),
        language=row.language,
    )


def _cursor(row: models.Order) -> str:
    text = f"{int(row.placed_at.timestamp() * 1_000_000)}|{row.number}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        micros, _, number = text.partition("|")
        placed_at = datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=int(micros))
    except (binascii.Error, ValueError, OverflowError) as error:
        raise RejectedError(errors=(ErrorDetail("/cursor", "cursor_invalid"),)) from error
    if not is_id(number):
        raise RejectedError(errors=(ErrorDetail("/cursor", "cursor_invalid"),))
    return placed_at, number
