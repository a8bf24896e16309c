"""Tables of checkout: what is being bought, paid and was ordered, and what the provider told us."""

from shop.checkout.models.checkouts import Checkout, CheckoutLine
from shop.checkout.models.orders import Order, OrderLine, OrderToken
from shop.checkout.models.payments import FakeCharge, Payment
from shop.checkout.models.records import IdempotencyRecord, IdempotencyState, WebhookEvent, WebhookState
from shop.checkout.models.refunds import RefundRequest, RefundState

__all__ = [
    "Checkout",
    "CheckoutLine",
    "FakeCharge",
    "IdempotencyRecord",
    "IdempotencyState",
    "Order",
    "OrderLine",
    "OrderToken",
    "Payment",
    "RefundRequest",
    "RefundState",
    "WebhookEvent",
    "WebhookState",
]
