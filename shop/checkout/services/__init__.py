"""What can be done from cart to order: one function a use case."""

from shop.checkout.services.clearing import finish_order
from shop.checkout.services.details import update_details
from shop.checkout.services.forgetting import forget_buyer, require_settled
from shop.checkout.services.keeping import cancel, give_back_removed, renew, reserve_again
from shop.checkout.services.outcomes import apply_outcome
from shop.checkout.services.paying import pay
from shop.checkout.services.reconciling import reconcile_payments, refund_payments
from shop.checkout.services.reordering import reorder
from shop.checkout.services.reviewing import ask_refund, attach_payment, decide_refund, give_up_webhook, look_up
from shop.checkout.services.settling import check_payment, finish_action, give_up_payment
from shop.checkout.services.starting import start_checkout
from shop.checkout.services.sweeping import finish_checkouts
from shop.checkout.services.webhooks import process_webhooks, receive_webhook, retry_webhook

__all__ = [
    "apply_outcome",
    "ask_refund",
    "attach_payment",
    "cancel",
    "check_payment",
    "decide_refund",
    "finish_action",
    "finish_checkouts",
    "finish_order",
    "forget_buyer",
    "give_back_removed",
    "give_up_payment",
    "give_up_webhook",
    "look_up",
    "pay",
    "process_webhooks",
    "receive_webhook",
    "reconcile_payments",
    "refund_payments",
    "renew",
    "reorder",
    "require_settled",
    "reserve_again",
    "retry_webhook",
    "start_checkout",
    "update_details",
]
