"""Staff's page of alerts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from shop.core.staff import ReadOnlyAdmin
from shop.watch.models import Alert


class OpenFilter(admin.SimpleListFilter):
    """Alerts that are open, or all."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("open", _("open")), ("over", _("over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        match self.value():
            case "open":
                return queryset.filter(ended_at__isnull=True)
            case "over":
                return queryset.filter(ended_at__isnull=False)
        return queryset


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What `check_shop` found, and until when. An alert ends by itself when the next check finds nothing."""

    list_display = ("first_seen_at", "section", "subject", "detail", "last_seen_at", "ended_at")
    list_filter = (OpenFilter, "section")
    date_hierarchy = "first_seen_at"
    search_fields = ("=subject",)
    search_help_text = _("SKU or reservation, exactly")
    fields = list_display
