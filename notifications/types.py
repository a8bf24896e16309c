"""Frozen values of notifications."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MessageState(StrEnum):
    """The life of a message: due → claimed → sending → sent | failed | unknown | cancelled."""

    DUE = "due"
    CLAIMED = "claimed"
    """A worker holds it; nothing was handed over."""
    SENDING = "sending"
    """Committed before the mail server is asked: from here on the mail may have gone out."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Handed over without an answer. An order mail goes again, under the same Message-ID."""
    CANCELLED = "cancelled"


class MessageKind(StrEnum):
    """What a message is about."""

    ORDER = "order"


class Template(StrEnum):
    """Which mail it is."""

    CONFIRMATION = "order_confirmation"
    REFUND = "payment_refund"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, rendered."""

    recipient: str
    subject: str
    text: str
    html: str
    language: str


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
