"""Staff's pages around carts: what shoppers defer, merges, and changes that could not be recorded."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, F, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cart import deferring, services
from cart.admin.base import OwnedAdmin, ShopperFilter, receipt_words
from cart.codec import decode_receipt_rows
from cart.models import CartEvent, DeadLetter, Merge, SavedLine
from cart.offers import currency
from cart.tabulating import write_csv
from cart.types import MergeOutcome, MergePolicy
from cart.wording import OUTCOME_WORDS
from shop.catalog.rules import canonical_sku_id
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.money import Money
from shop.core.privacy import mask_owner
from shop.core.staff import ReadOnlyAdmin
from shop.core.templatetags.trolley import format_money
from shop.core.words import words

MOST_EXPORTED = 10_000


class DroppedFilter(admin.SimpleListFilter):
    """Saved lines whose price fell since."""

    title = _("price")
    parameter_name = "price"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
        return [("fallen", _("fallen since"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "fallen":
            return queryset.filter(price_now_minor__lt=F("price_minor"))
        return queryset


@admin.register(SavedLine)
class SavedLineAdmin(OwnedAdmin):
    """What shoppers defer."""

    list_display = ("sku_id", "who", "quantity", "price_then", "price_now", "added_at", "cart_link")
    list_display_links = None
    list_filter = (ShopperFilter, DroppedFilter, "added_at")
    ordering = ("record_id", "sku_id")
    search_fields = ("sku_id",)
    search_help_text = _("SKU, mail address or customer number, exactly")
    actions = ("export",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return deferring.with_prices(super().get_queryset(request), now=clock.now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find lines of one SKU, or else of one customer."""
        term = search_term.strip()
        if not term:
            return queryset, False
        sku_id, customers = canonical_sku_id(term), self.find_customers(term)
        if customers:
            return queryset.filter(user_id__in=customers), False
        return (deferring.with_sku(queryset, sku_id) if sku_id else queryset.none()), False

    @admin.action(description=_("Export the chosen ones (CSV)"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Give the rows as a file, as `export_saved_lines` writes it."""
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="saved-lines.csv"'
        write_csv(map(deferring.to_line, queryset[:MOST_EXPORTED]), response)
        return response

    @admin.display(description=_("price when saved"))
    def price_then(self, row: SavedLine) -> str:
        return "–" if row.price_minor is None else format_money(Money(row.price_minor, row.currency or currency()))

    @admin.display(description=_("price now"))
    def price_now(self, row: Any) -> str:  # noqa: ANN401 - annotated
        return (
            "–" if row.price_now_minor is None else format_money(Money(row.price_now_minor, row.currency or currency()))
        )

    @admin.display(description=_("cart"))
    def cart_link(self, row: SavedLine) -> str:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:cart_cartrecord_change", args=[row.record_id]), _("Cart")
        )


class PolicyFilter(admin.SimpleListFilter):
    """Merges by policy."""

    title = _("policy")
    parameter_name = "policy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
        return [(policy.value, policy.value) for policy in MergePolicy]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Merge]) -> QuerySet[Merge]:
        return queryset.filter(policy=self.value()) if self.value() else queryset


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    """Guests' carts that were joined to customers', with the receipt that the customer saw."""

    list_display = ("at", "who", "policy", "outcomes", "is_undone")
    list_filter = (PolicyFilter,)
    ordering = ("-at", "-id")
    search_fields = ("=owner", "=merge_id")
    search_help_text = _("Owner (u:42) or merge id, exactly")
    fields = ("at", "who", "merge_id", "policy", "is_undone", "outcomes", "receipt_lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        undone = CartEvent.objects.filter(owner=OuterRef("owner"), reason="undo", merge_id=OuterRef("merge_id"))
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(reason="merge").annotate(undone=Exists(undone))  # type: ignore[no-any-return]

    @admin.display(description=_("owner"))
    def who(self, merge: Merge) -> str:
        return mask_owner(merge.owner)

    @admin.display(description=_("undone"), boolean=True)
    def is_undone(self, merge: Any) -> bool:  # noqa: ANN401 - annotated
        return bool(merge.undone)

    @admin.display(description=_("what became of the lines"))
    def outcomes(self, merge: Merge) -> str:
        counts: dict[str, int] = {}
        for row in merge.receipt:
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
        return ", ".join(f"{n} × {OUTCOME_WORDS[MergeOutcome(outcome)]}" for outcome, n in counts.items()) or "–"

    @admin.display(description=_("receipt"))
    def receipt_lines(self, merge: Merge) -> str:
        return "\n".join(map(receipt_words, decode_receipt_rows(merge.receipt))) or "–"


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Changes that could not be recorded. Their contents are not shown: they may hold tokens."""

    list_display = ("created_at", "partition", "entry_id", "who", "error", "deliveries")
    search_fields = ("=owner",)
    search_help_text = _("Owner, exactly")
    ordering = ("-id",)
    fields = ("created_at", "partition", "entry_id", "who", "error", "deliveries")
    actions = ("retry", "give_up")

    @admin.display(description=_("owner"))
    def who(self, letter: DeadLetter) -> str:
        return mask_owner(letter.owner) or "–"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell who may try dead letters again or give them up."""
        return request.user.has_perm("cart.retry_deadletter")

    @admin.action(description=_("Try again"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Record the chosen letters' carts again; those that fail stay."""
        done = 0
        for letter in queryset:
            try:
                services.retry_dead_letter(letter_id=letter.pk)
            except Refusal as refusal:
                text = gettext("%(letter)s was not recorded: %(reason)s")
                self.message_user(request, text % {"letter": letter, "reason": words(refusal).detail}, messages.ERROR)
            else:
                self._note(request, letter, "Recorded on another try")
                done += 1
        sentence = ngettext("%(count)d change was recorded.", "%(count)d changes were recorded.", done)
        self.message_user(request, sentence % {"count": done}, messages.SUCCESS)

    @admin.action(description=_("Give up"), permissions=["retry"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Delete the chosen letters; the carts in Redis stay as they are and are recorded with their next change."""
        for letter in queryset:
            self._note(request, letter, "Given up")
            letter.delete()

    def _note(self, request: HttpRequest, letter: Model, what: str) -> None:
        self.log_change(request, letter, what)
