"""What is told to people: rows first, then mails."""

from notifications.services.dispatching import dispatch_messages, resend
from notifications.services.queueing import queue_order_mails

__all__ = ["dispatch_messages", "queue_order_mails", "resend"]
