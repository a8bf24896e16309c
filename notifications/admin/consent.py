"""Staff's pages of suppressed addresses and of what customers said."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications import links
from notifications.models import Preference, Suppression
from shop.core import clock
from shop.core.staff import Form, QuickListAdmin, ReadOnlyAdmin


class SuppressionForm(Form):
    """Takes an address and keeps its hash only."""

    email = forms.EmailField(label=_("mail address"), help_text=_("Only a keyed hash of it is kept."))

    class Meta:
        model = Suppression
        fields = ("scope",)

    def save(self, commit: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - Django's signature
        """Fill in what is not asked for."""
        self.instance.email_hash = links.address_hashes(self.cleaned_data["email"])[0]
        self.instance.reason, self.instance.created_at = "staff", clock.now()
        return super().save(commit=commit)

    def clean(self) -> dict[str, Any] | None:
        """Refuse an address that is suppressed already.

        :raises ValidationError: if it is.
        """
        cleaned = super().clean() or self.cleaned_data
        if "email" in cleaned and "scope" in cleaned:
            known = Suppression.objects.filter(
                email_hash__in=links.address_hashes(cleaned["email"]), scope=cleaned["scope"]
            )
            if known.exists():
                raise forms.ValidationError(_("This address is suppressed already."))
        return cleaned


@admin.register(Suppression)
class SuppressionAdmin(QuickListAdmin):
    """Addresses that must not be mailed. A search takes the address itself and looks for its hash."""

    form = SuppressionForm
    list_display = ("created_at", "short_hash", "scope", "reason", "source", "expires_at")
    list_filter = ("scope", "reason")
    search_fields = ("=email_hash",)
    search_help_text = _("A mail address, whole")
    fields = ("email", "scope")

    @admin.display(description=_("address, hashed"))
    def short_hash(self, row: Suppression) -> str:
        return row.email_hash[:10]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        if "@" in search_term:
            return queryset.filter(email_hash__in=links.address_hashes(search_term)), False
        return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's
        obj.source = f"staff:{request.user.pk}"
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        """Let staff take back only what staff entered, not what a customer asked for."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.reason == "staff")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}


@admin.register(Preference)
class PreferenceAdmin(ReadOnlyAdmin):
    """Statements of customers, the newest of each counts."""

    list_display = ("collected_at", "user_id", "topic", "is_granted", "source", "wording")
    list_filter = ("topic", "is_granted")
    search_fields = ("=user_id",)
    search_help_text = _("Customer's number")
    fields = list_display
