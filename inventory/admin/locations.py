"""Staff's pages of locations: to open and order them, and to see what stands where."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, Model, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from inventory import services
from inventory.conf import conf
from inventory.errors import LocationInUseError
from inventory.models import Location, LocationStock
from inventory.places import find_use
from shop.core.errors import Refusal
from shop.core.staff import Form, FreshForm, QuickListAdmin, ReadOnlyAdmin
from shop.core.words import words


class LocationForm(FreshForm):
    """How a location is called, when it is asked, whether it is open."""

    def clean(self) -> dict[str, Any] | None:
        """See that a location that is to be closed is empty; nothing can come in from here on.

        :raises ValidationError: if it is not, or somebody else changed it.
        """
        cleaned = super().clean()
        is_closing = self.instance.pk and not (cleaned or self.cleaned_data).get("is_open", True)
        if is_closing and (use := find_use(code=self.instance.code)) and any(use):
            self.add_error("is_open", words(LocationInUseError(use[0])).detail)
        return cleaned


@admin.register(Location)
class LocationAdmin(QuickListAdmin):
    """The places of a shop that has several. Without any, all units stand in one, and nobody is asked where."""

    form = LocationForm
    list_display = ("name", "code", "position", "is_open", "on_hand", "reserved")

    def get_fields(self, request: HttpRequest, obj: Location | None = None) -> tuple[str, ...]:
        return ("code", "name", "position", "is_open", "opened_with") if obj else ("code", "name", "opened_with")

    def get_readonly_fields(self, request: HttpRequest, obj: Location | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Location | None = None) -> Any:  # noqa: ANN401 - Django's signature
        """Say before the first one is opened what that does."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None and not Location.objects.exists():
            told = _("The first location takes over all units and reservations. Nobody can reserve for that moment.")
            fieldsets[0][1]["description"] = told
        return fieldsets

    def get_form(self, request: HttpRequest, obj: Location | None = None, change: bool = False, **given: Any) -> Any:  # noqa: ANN401, FBT001, FBT002 - Django's signature
        """Say what a code is for."""
        told = {"code": _("A short word for CSV files and the ledger. It cannot be changed later.")}
        return super().get_form(request, obj, change, **{"help_texts": told, **given})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Location]:
        found: QuerySet[Location] = super().get_queryset(request)
        return found.annotate(
            units=Coalesce(Sum("locationstock__on_hand"), 0), kept=Coalesce(Sum("locationstock__reserved"), 0)
        )

    @admin.display(description=_("on hand"))
    def on_hand(self, location: Any) -> int:  # noqa: ANN401 - annotated
        return int(location.units)

    @admin.display(description=_("reserved"))
    def reserved(self, location: Any) -> int:  # noqa: ANN401 - annotated
        return int(location.kept)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *given: Any, **named: Any) -> HttpResponse:  # noqa: ANN401 - Django's signature
        """Say so when stock rows stay locked for too long, or another was quicker."""
        try:
            return super().changeform_view(request, *given, **named)
        except Refusal as refusal:
            self.message_user(request, words(refusal).detail, messages.ERROR)
            return redirect(request.path)

    def save_model(self, request: HttpRequest, obj: Location, form: Form, change: bool) -> None:  # noqa: FBT001 - Django's
        """Call the service."""
        if change:
            services.change_location(code=obj.code, name=obj.name, position=obj.position, is_open=obj.is_open)
        else:
            obj.pk = services.open_location(code=obj.code, name=obj.name).pk


class PlaceFilter(admin.SimpleListFilter):
    """Places that want attention."""

    title = _("counters")
    parameter_name = "counters"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("low", _("low or none available")), ("out", _("none available"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "low":
                return queryset.filter(on_hand__lte=F("reserved") + conf().low_stock)
            case "out":
                return queryset.filter(reserved__gte=F("on_hand"))
        return queryset


@admin.register(LocationStock)
class LocationStockAdmin(ReadOnlyAdmin):
    """What stands where. A shop without locations has no such list."""

    list_display = ("sku_id", "location", "on_hand", "reserved", "available", "links")
    list_filter = ("location", PlaceFilter)
    list_select_related = ("location",)
    search_fields = ("=sku_id",)
    search_help_text = _("SKU, exactly")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and Location.objects.exists()

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return super().get_model_perms(request) if Location.objects.exists() else {}

    @admin.display(description=_("available"))
    def available(self, place: LocationStock) -> int:
        return place.on_hand - place.reserved

    @admin.display(description="")
    def links(self, place: LocationStock) -> str:
        return format_html(
            '<a href="{}">{}</a> · <a href="{}?at={}">{}</a>',
            reverse("stock_availability", args=[place.sku_id]),
            _("Availability"),
            reverse("admin:inventory_stockitem_adjust", args=[place.sku_id]),
            place.location.code,
            _("Adjust"),
        )
