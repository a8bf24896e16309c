"""What is told to people: rows first, then mails."""

from notifications.services.attributing import attribute_orders, attribute_refunds
from notifications.services.closing import close_events, queue_next_steps
from notifications.services.consenting import (
    allow_opens,
    note_consent,
    save_wishes,
    scope_of,
    set_preference,
    suppress,
    undo_unsubscribe,
    unsubscribe,
)
from notifications.services.detecting import detect
from notifications.services.dispatching import dispatch_messages, resend
from notifications.services.forgetting import forget_customer, forget_old, forget_order_mails
from notifications.services.granting import void_grants
from notifications.services.hearing import News, apply_mail_events, note_mail_event, note_mailed_opt_out
from notifications.services.opening import note_open
from notifications.services.queueing import queue_order_mails
from notifications.services.reminding import send_reminders
from notifications.services.restoring import look_at, note_touch, restore
from notifications.services.running import end_campaign, pause_campaign, resume_campaign, start_campaign
from notifications.services.saved_news import find_saved_news
from notifications.services.summing import count_report, count_reports
from notifications.services.telling import send_saved_news
from notifications.services.trapping import forget_sources, note_trap
from notifications.services.watching import watch_campaigns

__all__ = [
    "News",
    "allow_opens",
    "apply_mail_events",
    "attribute_orders",
    "attribute_refunds",
    "close_events",
    "count_report",
    "count_reports",
    "detect",
    "dispatch_messages",
    "end_campaign",
    "find_saved_news",
    "forget_customer",
    "forget_old",
    "forget_order_mails",
    "forget_sources",
    "look_at",
    "note_consent",
    "note_mail_event",
    "note_mailed_opt_out",
    "note_open",
    "note_touch",
    "note_trap",
    "pause_campaign",
    "queue_next_steps",
    "queue_order_mails",
    "resend",
    "restore",
    "resume_campaign",
    "save_wishes",
    "scope_of",
    "send_reminders",
    "send_saved_news",
    "set_preference",
    "start_campaign",
    "suppress",
    "undo_unsubscribe",
    "unsubscribe",
    "void_grants",
    "watch_campaigns",
]
