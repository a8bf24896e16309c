"""Staff's pages of reservations and of the ledger: to read, not to write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inventory.models import Location, Reservation, ReservationShare, StockEntry
from inventory.types import ReservationState
from inventory.watching import MANY_RENEWALS
from shop.core import clock
from shop.core.staff import ReadOnlyAdmin

SOON = timedelta(minutes=2)


@admin.register(StockEntry)
class StockEntryAdmin(ReadOnlyAdmin):
    """The ledger. The database refuses changes as well."""

    list_display = ("at", "sku_id", "signed", "on_hand_after", "kind", "reason", "note", "by", "reference")
    list_filter = ("kind", "reason")
    date_hierarchy = "at"
    search_fields = ("=sku_id", "=reference")
    search_help_text = _("SKU or reference, exactly")
    list_select_related = ("location",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.list_display, "location") if Location.objects.exists() else self.list_display

    def get_list_filter(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.list_filter, "location") if Location.objects.exists() else self.list_filter

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401 - Django's signature
        return () if Location.objects.exists() else ("location",)

    @admin.display(description=_("change"), ordering="delta")
    def signed(self, entry: StockEntry) -> str:
        return f"{entry.delta:+d}"


class ReservationFilter(admin.SimpleListFilter):
    """Reservations that want attention."""

    title = _("attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [
            ("soon", _("ends within 2 minutes")),
            ("overdue", _("overdue")),
            ("pinned", _("pinned by a payment")),
            ("renewed", _("renewed more than 3 times")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reservation]) -> QuerySet[Reservation]:
        now = clock.now()
        conditions: dict[str, Callable[[], Q]] = {
            "soon": lambda: Q(expires_at__gt=now, expires_at__lte=now + SOON),
            "overdue": lambda: Q(expires_at__lte=now),
            "pinned": lambda: Q(pinned_until__gt=now),
            "renewed": lambda: Q(renewals__gt=MANY_RENEWALS),
        }
        condition = conditions.get(self.value() or "")
        return queryset.filter(condition(), state=ReservationState.SOFT.value) if condition else queryset


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """Who has which units, until when. Ending one is the checkout's business."""

    list_display = ("id", "skus", "units", "owner", "state_now", "created_at", "ends", "renewals", "cause")
    list_filter = ("state", ReservationFilter)
    date_hierarchy = "created_at"
    search_fields = ("=id", "=owner", "=lines__sku_id")
    search_help_text = _("Reservation, checkout or SKU, exactly")
    fields = (
        *("id", "owner", "state_now", "skus", "units", "created_at", "expires_at", "pinned_until", "renewals"),
        *("ended_at", "cause"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return super().get_queryset(request).prefetch_related("lines")

    def get_fields(self, request: HttpRequest, obj: Reservation | None = None) -> tuple[str, ...]:
        return (*self.fields, "taken_from") if Location.objects.exists() else self.fields

    @admin.display(description=_("SKUs"))
    def skus(self, reservation: Reservation) -> str:
        return ", ".join(f"{line.quantity} × {line.sku_id}" for line in reservation.lines.all())

    @admin.display(description=_("taken from"))
    def taken_from(self, reservation: Reservation) -> str:
        shares = ReservationShare.objects.filter(line__reservation=reservation).select_related("line", "location")
        ordered = shares.order_by("line__sku_id", "location__position", "location_id")
        return ", ".join(f"{share.quantity} × {share.line.sku_id}: {share.location}" for share in ordered) or "–"

    @admin.display(description=_("units"))
    def units(self, reservation: Reservation) -> int:
        return sum(line.quantity for line in reservation.lines.all())

    @admin.display(description=_("state"), ordering="state")
    def state_now(self, reservation: Reservation) -> str:
        if reservation.state != ReservationState.SOFT.value:
            return str(reservation.get_state_display())
        now = clock.now()
        if reservation.expires_at <= now:
            return gettext("overdue")
        if reservation.pinned_until and reservation.pinned_until > now:
            return gettext("reserved, payment runs")
        return gettext("reserved")

    @admin.display(description=_("ends in"), ordering="expires_at")
    def ends(self, reservation: Reservation) -> str:
        if reservation.state != ReservationState.SOFT.value:
            return "–"
        seconds = int((reservation.expires_at - clock.now()).total_seconds())
        return f"{'−' if seconds < 0 else ''}{abs(seconds) // 60}:{abs(seconds) % 60:02d}"
