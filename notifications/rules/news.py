"""What a mail provider's news means: whether an address is dead, full for now, or wants no more mail."""

from __future__ import annotations

import re
from collections.abc import Iterable

from notifications.types import MailEventKind

_STATUS = re.compile(r"(?<![\d.])([245])\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)
_SOFT_WORDS = frozenset({"softbounce", "soft", "transient", "temporary", "undetermined"})
_ALWAYS = {
    "delivered": MailEventKind.DELIVERED,
    "complained": MailEventKind.COMPLAINED,
    "unsubscribed": MailEventKind.UNSUBSCRIBED,
}
_REFUSED = {
    "bounced": MailEventKind.BOUNCED,
    "invalid": MailEventKind.BOUNCED,
    "spam": MailEventKind.COMPLAINED,
    "unsubscribed": MailEventKind.UNSUBSCRIBED,
}


def kind_of(*, event_type: str, reject_reason: str, answer: str, words: Iterable[str]) -> MailEventKind | None:
    """Judge a piece of news in anymail's terms; None if nothing follows from it.

    A bounce is for good unless the mailbox's own status code (RFC 3463) begins with 4, or the provider calls it soft,
    in whatever spelling (`words`). Refusals by the provider count by their reason: what it blocks for reasons of its
    own says nothing about the address. Deferrals are followed by another piece of news.
    """
    if event_type in _ALWAYS:
        return _ALWAYS[event_type]
    if event_type == "bounced":
        return MailEventKind.SOFT_BOUNCED if _is_soft(answer, words) else MailEventKind.BOUNCED
    return _REFUSED.get(reject_reason) if event_type == "rejected" else None


def _is_soft(answer: str, words: Iterable[str]) -> bool:
    status = _STATUS.search(answer)
    if status is not None and status[1] == "4":
        return True
    return any(re.sub(r"[^a-z]", "", word.lower()) in _SOFT_WORDS for word in words)
