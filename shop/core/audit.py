"""The audit log: Django's own `LogEntry`, written for objects that are known by name only."""

from __future__ import annotations

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType


def note_change(*, user_id: int, model: str, object_id: str, message: str) -> None:
    """Note who did what to which object (`model` as in `inventory.reservation`), in the caller's transaction."""
    app_label, _, name = model.partition(".")
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_by_natural_key(app_label, name),
        object_id=object_id,
        object_repr=object_id[:200],
        action_flag=CHANGE,
        change_message=message,
    )
