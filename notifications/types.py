"""Frozen values of notifications."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shop.catalog.types import SkuCard
from shop.core.money import Money


class MessageState(StrEnum):
    """The life of a message: due → claimed → sending → sent | failed | unknown | cancelled; or claimed → ghost."""

    DUE = "due"
    CLAIMED = "claimed"
    """A worker holds it; nothing was handed over."""
    SENDING = "sending"
    """Committed before the mail server is asked: from here on the mail may have gone out."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Handed over without an answer. An order mail goes again, under the same Message-ID; a reminder never does."""
    CANCELLED = "cancelled"
    GHOST = "ghost"
    """The hold-out's reminder: it passed the gates at its time, and was not sent."""


class MessageKind(StrEnum):
    """What a message is about."""

    ORDER = "order"
    RECOVERY = "recovery"
    """A reminder of a cart that was left."""
    SAVED = "saved"
    """News of items that a customer saved for later."""


class Template(StrEnum):
    """Which mail it is."""

    CONFIRMATION = "order_confirmation"
    REFUND = "payment_refund"
    REMINDER = "cart_reminder"
    SAVED_NEWS = "saved_news"


class CampaignState(StrEnum):
    """The life of a campaign: draft → running ⇄ paused → ended."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class EventState(StrEnum):
    """The life of an abandonment: open → converted | cancelled | expired."""

    OPEN = "open"
    CONVERTED = "converted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Scope(StrEnum):
    """How much a suppression covers."""

    ALL = "all"
    CART_REMINDER = "cart_reminder"
    SAVED_NEWS = "saved_news"


class Topic(StrEnum):
    """What a customer can want or not want. Mails about orders are owed, and no topic."""

    CART_REMINDER = "cart_reminder"
    OPEN_TRACKING = "open_tracking"
    """That reminders tell when they are opened: only for who has said yes."""
    PRICE_DROP = "price_drop"
    """That a saved item costs less: only for who has said yes."""
    BACK_IN_STOCK = "back_in_stock"
    """That a saved item can be bought again: only for who has said yes."""


class MailEventKind(StrEnum):
    """What a mail provider tells of a mail, as far as something follows from it."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    SOFT_BOUNCED = "soft_bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


class TouchKind(StrEnum):
    """What somebody did who came by a mail's link."""

    CLICK = "click"
    SCAN = "scan"
    """The link was followed, but by a program that says so: nothing of its reader, and no order is given to it."""
    RESTORE = "restore"
    OPEN = "open"
    MACHINE_OPEN = "open_bot"
    """The mail's picture was fetched, but by a program: that says nothing of its reader."""
    TRAP = "trap"
    """The link that no reader sees was followed: what else came from there within seconds was a program's."""


class AttributionModel(StrEnum):
    """By what an order is given to a mail. None of them tells what the mail has brought."""

    CLICK = "click"
    """The last mail whose link was followed within `NOTIFICATIONS_CLICK_DAYS` before."""
    RESTORE = "restore"
    """The last mail by which a cart was restored within `NOTIFICATIONS_CLICK_DAYS` before."""
    CODE = "code"
    """The mail whose personal code was used."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, rendered."""

    recipient: str
    subject: str
    text: str
    html: str
    language: str
    headers: tuple[tuple[str, str], ...] = ()
    """Beyond those of every mail."""
    sender: str = ""
    """Empty: the shop's own."""
    reply_to: str = ""
    tag: str = ""
    """What a mail provider counts it under: campaign, variant and step, nobody's name."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a customer wants to be told, and how."""

    offered: tuple[Topic, ...]
    """What they can choose in this shop."""
    wanted: frozenset[Topic]
    language: str
    """That of mails to them; empty: that of their last order."""
    time_zone: str
    """By whose clock no mail comes at night; empty if it is not known."""


@dataclass(frozen=True, slots=True)
class ReminderLine:
    """A line of a cart that was left, as it can be bought now."""

    card: SkuCard
    quantity: int
    """At most as many as there are."""
    unit_price: Money
    price_at_add: Money | None

    @property
    def line_total(self) -> Money:
        """Quantity times unit price."""
        return self.unit_price * self.quantity

    @property
    def saved(self) -> Money | None:
        """How much less one costs than when it was put into the cart; None if not less, or not comparable."""
        before = self.price_at_add
        if before is None or before.currency != self.unit_price.currency or before.minor <= self.unit_price.minor:
            return None
        return before - self.unit_price


@dataclass(frozen=True, slots=True)
class SavedItem:
    """An item that a customer saved for later, and what is new of it."""

    card: SkuCard
    price: Money
    """What one costs this customer now."""
    was: Money | None
    """What it cost when it was saved, if the news is that it costs less."""
    is_back: bool
    """It was sold out after it was saved, and is there again."""

    @property
    def less(self) -> Money | None:
        """How much less one costs; None if that is no news."""
        return self.was - self.price if self.was is not None else None


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail that was written to a file, as staff see it."""

    name: str
    written_at: datetime
    sender: str
    recipient: str
    subject: str
    message_id: str
    text: str
    html: str
