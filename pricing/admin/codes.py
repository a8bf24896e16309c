"""Staff's pages of discount codes: issue one or many, revoke, and see who used which."""

from __future__ import annotations

import csv
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import BigIntegerField, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pricing import services
from pricing.admin.history import HistoryAdmin
from pricing.errors import CodeTakenError
from pricing.models import DiscountCode, Promotion, Redemption
from pricing.types import IssuedCode
from shop.core import clock
from shop.core.ids import new_token
from shop.core.staff import FreshForm, Inline, QuickListAdmin, ReadOnlyAdmin
from shop.core.words import words

MOST_AT_ONCE = 1_000
FORM_SECONDS = 86_400
"""For so long a form that was sent is known again."""

MOST_USES = 2_147_483_647
"""What the column holds."""


def moment_input() -> forms.DateTimeInput:
    """Give a field for a date and a time in which the browser helps to choose."""
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class IssueForm(forms.Form):
    """One code that anybody may know, or random ones."""

    promotion = forms.ModelChoiceField(
        Promotion.objects.filter(needs_code=True), label=_("Promotion"), help_text=_("What the code brings.")
    )
    code = forms.CharField(
        label=_("Code"), required=False, max_length=64, help_text=_("Empty: random codes, shown only once.")
    )
    count = forms.IntegerField(label=_("How many"), min_value=1, max_value=MOST_AT_ONCE, initial=1)
    user_id = forms.IntegerField(
        label=_("Customer"),
        required=False,
        min_value=1,
        max_value=BigIntegerField.MAX_BIGINT,
        help_text=_("Their number: nobody else may use it."),
    )
    max_uses = forms.IntegerField(
        label=_("Most uses"),
        required=False,
        min_value=1,
        max_value=MOST_USES,
        help_text=_("Of each code. Empty: any number."),
    )
    max_uses_each = forms.IntegerField(
        label=_("Most uses a customer"), required=False, min_value=1, max_value=MOST_USES
    )
    valid_from = forms.DateTimeField(
        label=_("Valid from"), required=False, widget=moment_input(), help_text=_("Empty: now.")
    )
    valid_until = forms.DateTimeField(
        label=_("Valid until"), required=False, widget=moment_input(), help_text=_("Empty: no end.")
    )
    as_csv = forms.BooleanField(label=_("As a file (CSV)"), required=False)
    form_id = forms.CharField(widget=forms.HiddenInput, max_length=64)
    """Of the page that was opened: what is sent twice is issued once."""

    def clean(self) -> dict[str, Any]:
        """Say at its field what does not go together."""
        given = self.cleaned_data
        years = {"first": clock.FIRST_YEAR, "last": clock.LAST_YEAR}
        for name in ("valid_from", "valid_until"):
            if given.get(name) and not clock.is_tellable(given[name]):
                self.add_error(name, _("Choose a year from %(first)d to %(last)d.") % years)
        begins = given["valid_from"] = given.get("valid_from") or clock.now()
        if given.get("valid_until") and given["valid_until"] <= begins:
            self.add_error("valid_until", _("The end must be later than the beginning."))
        if given.get("code") and given.get("count", 1) > 1:
            self.add_error("count", _("A code that is named is one."))
        if given.get("code") and given.get("user_id"):
            self.add_error("user_id", _("A code for one customer is a random one."))
        if not given.get("code") and given.get("max_uses_each"):
            self.add_error("max_uses_each", _("For a code that is named."))
        return given


class StateFilter(admin.SimpleListFilter):
    """Codes by whether they can be used."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("usable", _("usable")), ("used_up", _("used up")), ("over", _("over")), ("revoked", _("revoked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DiscountCode]) -> QuerySet[DiscountCode]:
        now = clock.now()
        is_used_up = Q(max_uses__isnull=False, used__gte=F("max_uses"))
        match self.value():
            case "usable":
                return queryset.filter(Q(valid_until=None) | Q(valid_until__gt=now), revoked_at=None).exclude(
                    is_used_up
                )
            case "used_up":
                return queryset.filter(is_used_up)
            case "over":
                return queryset.filter(valid_until__lte=now)
            case "revoked":
                return queryset.filter(revoked_at__isnull=False)
        return queryset


class RedemptionInline(Inline):
    """Uses of a code, to read."""

    model = Redemption
    extra = 0
    can_delete = False
    fields = ("checkout_id", "order_number", "claimed_at", "released_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        return False


@admin.register(DiscountCode)
class DiscountCodeAdmin(HistoryAdmin, QuickListAdmin):
    """Codes. Until the first use limits and end may be changed; later a code can only be revoked."""

    form = FreshForm
    list_display = ("label", "promotion", "uses", "user_id", "valid_from", "valid_until", "revoked_at")
    list_filter = (StateFilter, "is_personal", "promotion")
    list_select_related = ("promotion",)
    search_fields = ("label__startswith", "=user_id")
    search_help_text = _("Beginning of a code, or number of a customer")
    actions = ("revoke",)
    inlines = (RedemptionInline,)

    def get_fields(self, request: HttpRequest, obj: DiscountCode | None = None) -> tuple[str, ...]:
        limits = ("max_uses", "max_uses_each", "valid_from", "valid_until")
        return ("label", "promotion", "is_personal", "user_id", "used", *limits, "revoked_at", "opened_with", "changes")

    def get_readonly_fields(self, request: HttpRequest, obj: DiscountCode | None = None) -> tuple[str, ...]:
        fixed = ("label", "promotion", "is_personal", "user_id", "used", "valid_from", "revoked_at", "changes")
        return fixed if obj and not obj.used else (*fixed, "max_uses", "max_uses_each", "valid_until")

    def has_delete_permission(self, request: HttpRequest, obj: DiscountCode | None = None) -> bool:
        return False

    @admin.display(description=_("used"))
    def uses(self, code: DiscountCode) -> str:
        return f"{code.used} / {code.max_uses if code.max_uses is not None else '∞'}"

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[DiscountCode]) -> None:
        """Let codes apply no more; orders that used them stay."""
        with transaction.atomic():
            chosen = list(queryset.filter(revoked_at=None))
            count = services.revoke_codes(code_ids=[code.pk for code in chosen], now=clock.now())
            for code in chosen:
                self.log_change(request, code, "Revoked")
        told = ngettext("%(count)d code revoked.", "%(count)d codes revoked.", count) % {"count": count}
        self.message_user(request, told, messages.SUCCESS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Issue codes, and show them in full this once.

        :raises PermissionDenied: if the member of staff may not add codes.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = IssueForm(request.POST or None, initial={"form_id": new_token()})
        issued = self._issue(request, form) if request.method == "POST" and form.is_valid() else ()
        if issued and form.cleaned_data["as_csv"]:
            return _as_csv(issued)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Issue discount codes"),
            "opts": self.opts,
            "form": form,
            "issued": issued,
        }
        return TemplateResponse(request, "admin/pricing/issue.html", context)

    @transaction.atomic
    def _issue(self, request: HttpRequest, form: IssueForm) -> tuple[IssuedCode, ...]:
        given = form.cleaned_data
        common = {
            "promotion_id": given["promotion"].pk,
            "valid_from": given["valid_from"],
            "valid_until": given["valid_until"],
            "max_uses": given["max_uses"],
        }
        if given["code"]:
            try:
                code_id = services.publish_code(code=given["code"], max_uses_each=given["max_uses_each"], **common)
            except CodeTakenError as refusal:
                form.add_error("code", words(refusal).detail)
                return ()
            label = DiscountCode.objects.get(pk=code_id).label
            issued: tuple[IssuedCode, ...] = (IssuedCode(code_id, label, label),)
        elif not cache.add(f"issued:{given['form_id']}", True, FORM_SECONDS):
            form.add_error(None, _("This form was sent before. Its codes were issued, and are on the list."))
            return ()
        else:
            issued = services.issue_codes(count=given["count"], user_id=given["user_id"], **common)
        for row in DiscountCode.objects.filter(pk__in=[code.code_id for code in issued]):
            self.log_addition(request, row, "Issued")
        return issued


@admin.register(Redemption)
class RedemptionAdmin(ReadOnlyAdmin):
    """Who used which code: claimed by a payment, final with the order, or given back."""

    list_display = ("code", "checkout_id", "order_number", "claimed_at", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), ("order_number", admin.EmptyFieldListFilter))
    list_select_related = ("code",)
    date_hierarchy = "claimed_at"
    search_fields = ("=checkout_id", "=order_number", "code__label__startswith")
    search_help_text = _("Checkout or order, exactly; or the beginning of a code")
    fields = ("code", "checkout_id", "order_number", "claimed_at", "released_at")


def _as_csv(issued: tuple[IssuedCode, ...]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="discount-codes.csv"'
    writer = csv.writer(response)
    writer.writerow(["code"])
    writer.writerows([code.code] for code in issued)
    return response
