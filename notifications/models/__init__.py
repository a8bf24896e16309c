"""Tables of notifications: messages, campaigns, who left a cart behind, and who must not be written to."""

from notifications.models.campaigns import Campaign, SkipCount, Step, Variant
from notifications.models.consent import Preference, Suppression
from notifications.models.events import Abandonment, Attribution, DiscountGrant, Touch
from notifications.models.mail_events import MailEvent
from notifications.models.messages import HELD, Cursor, Message, RateBucket
from notifications.models.reports import StoredReport
from notifications.models.saved_news import SavedNews, SoldOut

__all__ = [
    "HELD",
    "Abandonment",
    "Attribution",
    "Campaign",
    "Cursor",
    "DiscountGrant",
    "MailEvent",
    "Message",
    "Preference",
    "RateBucket",
    "SavedNews",
    "SkipCount",
    "SoldOut",
    "Step",
    "StoredReport",
    "Suppression",
    "Touch",
    "Variant",
]
