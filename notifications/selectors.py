"""Reads of messages."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min

from notifications.models import Message
from notifications.types import MessageState


def oldest_due_seconds(*, now: datetime) -> int:
    """Tell for how many seconds the oldest due message has waited; 0 if none waits."""
    waiting = Message.objects.filter(state__in=[MessageState.DUE.value, MessageState.UNKNOWN.value], due_at__lte=now)
    oldest = waiting.aggregate(at=Min("due_at"))["at"]
    return max(0, int((now - oldest).total_seconds())) if oldest else 0
