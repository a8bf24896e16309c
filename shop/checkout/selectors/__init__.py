"""Reads of checkouts, payments and orders. Ownership is part of each query: “not yours” is “absent”."""

from shop.checkout.selectors.checkouts import find_open_checkout, get_checkout, list_live_ids
from shop.checkout.selectors.exporting import export_buyer, list_trail
from shop.checkout.selectors.ids import is_id, pointer, principal_of
from shop.checkout.selectors.orders import (
    find_last_address,
    find_order,
    get_order,
    get_order_for_mail,
    list_order_numbers,
    list_orders,
)
from shop.checkout.selectors.payments import (
    TOO_LATE,
    get_payment,
    get_payment_for_payer,
    get_refund_for_mail,
    list_refunds,
    payment_view,
)

__all__ = [
    "TOO_LATE",
    "export_buyer",
    "find_last_address",
    "find_open_checkout",
    "find_order",
    "get_checkout",
    "get_order",
    "get_order_for_mail",
    "get_payment",
    "get_payment_for_payer",
    "get_refund_for_mail",
    "is_id",
    "list_live_ids",
    "list_order_numbers",
    "list_orders",
    "list_refunds",
    "list_trail",
    "payment_view",
    "pointer",
    "principal_of",
]
