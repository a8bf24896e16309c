"""Look through the messages that were there before, while others go on reading and writing them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Validate the constraint."""

    atomic = False
    dependencies: ClassVar = [("notifications", "0018_saved_news")]
    operations: ClassVar = [ValidateConstraint(model_name="message", name="message_kind_has_subject")]
