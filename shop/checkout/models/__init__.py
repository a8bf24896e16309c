"""Tables of checkout: what is being bought, paid and was ordered, and what the provider told us."""

from shop.checkout.models.checkouts import CheckoutLine, Checkout
from shop.checkout.models.orders import OrderLine, Order, OrderToken
from shop.checkout.models.payments import FakeCharge, Payment
from shop.checkout.models.records import IdempotencyRecord, IdempotencyState, WebhookEvent, WebhookState

__all__ = [
    "CheckoutLine",
    "Checkout",
    "FakeCharge",
    "IdempotencyRecord",
    "IdempotencyState",
    "OrderLine",
    "Order",
    "OrderToken",
    "Payment",
    "WebhookEvent",
    "WebhookState",
]
