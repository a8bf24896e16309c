"""Staff's pages of stock: counters to look at, differences to enter."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, IntegerField, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from inventory import services
from inventory.admin import bulk
from inventory.conf import conf
from inventory.models import REASONS, ReservationLine, StockEntry, StockItem
from inventory.places import list_choices, list_places
from inventory.services.adjusting import MAX_ON_HAND, NOTE_MAX_LENGTH
from inventory.types import StockEntryKind, StockReason
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.errors import RejectedError, UnavailableError
from shop.core.ids import new_id
from shop.core.staff import ReadOnlyAdmin
from shop.core.words import detail_words, words


class AdjustForm(forms.Form):
    """A difference, a reason and a note."""

    delta = forms.IntegerField(
        label=_("Change"),
        min_value=-MAX_ON_HAND,
        max_value=MAX_ON_HAND,
        help_text=_("Units that came in (5) or went away (-5)."),
    )
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[("", "—"), *(choice for choice in REASONS if choice[0] != StockReason.SALE.value)],
    )
    note = forms.CharField(label=_("Note"), max_length=NOTE_MAX_LENGTH, required=False, help_text=_("For staff only."))
    operation = forms.RegexField(r"^adj_[0-9A-Z]{24}$", widget=forms.HiddenInput)
    """Sent twice, the adjustment is made once."""
    location = forms.ChoiceField(label=_("Location"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - a form's signature
        super().__init__(*args, **kwargs)
        choose_location(self)


def choose_location(form: forms.Form) -> None:
    """Let staff choose between the open locations; a shop that has no choice is not asked."""
    locations = list_choices()
    field = form.fields["location"]
    if locations and isinstance(field, forms.ChoiceField):
        field.choices = [(location.code, location.name) for location in locations]
    else:
        del form.fields["location"]


class StateOfCountersFilter(admin.SimpleListFilter):
    """Stock items that want attention."""

    title = _("counters")
    parameter_name = "counters"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [
            ("low", _("low or none available")),
            ("out", _("none available")),
            ("drift", _("differ from reservations")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "low":
                return queryset.filter(on_hand__lte=F("reserved") + conf().low_stock)
            case "out":
                return queryset.filter(reserved__gte=F("on_hand"))
            case "drift":
                return queryset.exclude(reserved=F("live"))
        return queryset


@admin.register(StockItem)
class StockItemAdmin(ReadOnlyAdmin):
    """Counters are never typed over: *Adjust* enters a difference, so that a form opened before sales undoes none."""

    list_display = ("sku_id", "on_hand", "reserved", "available", "drift", "last_recount", "hot", "adjust_link")
    list_filter = (StateOfCountersFilter, "is_hot")
    actions = ("mark_hot", "mark_cold", "export")
    change_list_template = "admin/inventory/stockitem_list.html"
    search_fields = ("sku_id",)
    search_help_text = _("SKU")
    fields = ("sku_id", "on_hand", "reserved", "available", "drift", "last_recount", "hot", "adjust_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockItem]:
        live = (
            ReservationLine.objects.filter(sku_id=OuterRef("sku_id"), is_live=True)
            .order_by()
            .values("sku_id")
            .annotate(units=Sum("quantity"))
            .values("units")
        )
        recounted = (
            StockEntry.objects.filter(sku_id=OuterRef("sku_id"), kind=StockEntryKind.RECOUNT.value)
            .order_by()
            .values("sku_id")
            .annotate(last=Max("at"))
            .values("last")
        )
        items: QuerySet[StockItem] = super().get_queryset(request)
        return items.annotate(
            live=Coalesce(Subquery(live, output_field=IntegerField()), 0), recounted_at=Subquery(recounted)
        )

    @admin.display(description=_("available"))
    def available(self, item: StockItem) -> int:
        return item.on_hand - item.reserved

    @admin.display(description=_("drift"))
    def drift(self, item: Any) -> int:  # noqa: ANN401 - annotated
        return int(item.reserved - item.live)

    @admin.display(description=_("last recount"))
    def last_recount(self, item: Any) -> Any:  # noqa: ANN401 - annotated
        return item.recounted_at

    @admin.display(description=_("hot"))
    def hot(self, item: StockItem) -> str:
        if item.is_hot:
            return gettext("yes")
        return gettext("by itself") if item.hot_until and item.hot_until > clock.now() else "–"

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        """Tell whether the actions are shown."""
        return bool(request.user.has_perm("inventory.adjust_stock"))

    @admin.action(description=_("Mark as hot: reserve through the lane"), permissions=["adjust"])
    def mark_hot(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> None:
        """Expect a rush for the chosen SKUs."""
        self._mark(request, queryset, is_hot=True)

    @admin.action(description=_("No longer hot"), permissions=["adjust"])
    def mark_cold(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> None:
        """Let the chosen SKUs go the plain way again."""
        self._mark(request, queryset, is_hot=False)

    def _mark(self, request: HttpRequest, queryset: QuerySet[StockItem], *, is_hot: bool) -> None:
        with transaction.atomic():
            changed = list(queryset.exclude(is_hot=is_hot).order_by("sku_id"))  # the order in which stock is locked
            for item in changed:
                services.mark_hot(sku_id=item.sku_id, is_hot=is_hot)
                self.log_change(request, item, "Marked as hot" if is_hot else "No longer hot")
        told = ngettext("%(count)d SKU changed.", "%(count)d SKUs changed.", len(changed)) % {"count": len(changed)}
        self.message_user(request, told, messages.SUCCESS)

    @admin.display(description="")
    def adjust_link(self, item: StockItem) -> str:
        return format_html(
            '<a href="{}">{}</a> · <a href="{}">{}</a>',
            reverse("stock_availability", args=[item.pk]),
            _("Availability"),
            reverse("admin:inventory_stockitem_adjust", args=[item.pk]),
            _("Adjust"),
        )

    def get_urls(self) -> list[URLPattern]:
        adjust = path(
            "adjust/<str:sku_id>/", self.admin_site.admin_view(self.adjust_view), name="inventory_stockitem_adjust"
        )
        importing = path("import/", self.admin_site.admin_view(self.import_view), name="inventory_stockitem_import")
        return [adjust, importing, *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Book a CSV of adjustments after a preview."""
        return bulk.import_view(request, {**self.admin_site.each_context(request), "opts": self.opts})

    @admin.action(description=_("Export the chosen ones as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[StockItem]) -> HttpResponse:
        """Write the chosen stock items, or all that are filtered, as CSV."""
        return bulk.export(queryset[: bulk.MOST_EXPORTED])

    def adjust_view(self, request: HttpRequest, sku_id: str) -> HttpResponse:
        """Enter a difference of one SKU; its stock item need not exist yet.

        :raises PermissionDenied: if the member of staff may not adjust stock.
        :raises Http404: if there is no such SKU.
        """
        if not request.user.has_perm("inventory.adjust_stock"):
            raise PermissionDenied
        card = catalog.list_cards(sku_ids=[sku_id]).get(sku_id)
        if card is None:
            raise Http404
        form = AdjustForm(
            request.POST or None, initial={"operation": new_id("adj"), "location": request.GET.get("at", "")}
        )
        if request.method == "POST" and form.is_valid() and self._adjust(request, sku_id, form):
            return HttpResponseRedirect(reverse("admin:inventory_stockitem_changelist") + f"?q={card.sku_id}")
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Adjust stock"),
            "subtitle": card.sku_id,
            "card": card,
            "item": StockItem.objects.filter(pk=sku_id).first() or StockItem(sku_id=sku_id),
            "places": list_places(sku_id=sku_id),
            "form": form,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/inventory/adjust.html", context, status=422 if form.errors else 200)

    def _adjust(self, request: HttpRequest, sku_id: str, form: AdjustForm) -> bool:
        entered = form.cleaned_data
        where = f" in {entered['location']}" if entered.get("location") else ""
        try:
            with transaction.atomic(durable=True):
                on_hand = services.adjust(
                    sku_id=sku_id,
                    delta=entered["delta"],
                    reason=entered["reason"],
                    note=entered["note"],
                    by=request.user.pk,
                    reference=entered["operation"],
                    location=entered.get("location", ""),
                )
                item = StockItem.objects.get(pk=sku_id)
                self.log_change(request, item, f"{entered['delta']:+d}{where}, {entered['reason']}: {entered['note']}")
        except RejectedError as refusal:
            for detail in refusal.errors:
                name = detail.pointer.removeprefix("/")
                form.add_error(name if name in form.fields else None, detail_words(detail))
            return False
        except UnavailableError as refusal:
            form.add_error(None, words(refusal).detail)
            return False
        done = gettext("%(sku)s: %(delta)+d, %(on_hand)d on hand.")
        self.message_user(
            request, done % {"sku": sku_id, "delta": entered["delta"], "on_hand": on_hand}, messages.SUCCESS
        )
        return True
