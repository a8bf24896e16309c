"""Who changed what of a price, a promotion or a code: from what to what, on the page of the thing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
else:
    Admin = admin.ModelAdmin

MOST_SHOWN = 20
_HIDDEN = "opened_with"


class HistoryAdmin(Admin):
    """Shows the last changes (`changes`, a read-only field), and writes them down with their values."""

    def construct_change_message(
        self,
        request: HttpRequest,
        form: Any,  # noqa: ANN401 - Django's signature
        formsets: Any,  # noqa: ANN401 - Django's signature
        add: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:  # noqa: ANN401 - Django's signature
        """Say from what to what each field was changed."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        names = [name for name in form.changed_data if name != _HIDDEN]
        return "; ".join(f"{name}: {form.initial.get(name)} → {form.cleaned_data.get(name)}" for name in names)

    @admin.display(description=_("changes"))
    def changes(self, row: Model) -> SafeString | str:
        """List when, by whom and what, newest first (one query)."""
        if row.pk is None:
            return "–"
        kind = ContentType.objects.get_for_model(row)
        entries = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).select_related("user")
        lines = [
            (
                date_format(localtime(entry.action_time), "SHORT_DATETIME_FORMAT"),
                entry.user.get_username(),
                entry.get_change_message(),
            )
            for entry in entries.order_by("-action_time")[:MOST_SHOWN]
        ]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} · {} · {}</li>", lines)) if lines else "–"
