"""What the lists of carts have in common: who owns a row, and customers or guests."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cart.types import ReceiptLine
from cart.wording import OUTCOME_WORDS
from shop.core.privacy import mask, mask_owner
from shop.core.staff import ReadOnlyAdmin

_BIGINT_DIGITS = 18


class OwnedAdmin(ReadOnlyAdmin):
    """Rows that belong to a shopper: a customer by number and masked address, a guest by six digits of a hash."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        users = get_user_model()._default_manager.filter(pk=OuterRef(self.user_id_path))  # noqa: SLF001 - Django's own way
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.annotate(email=Subquery(users.values("email")[:1]))  # type: ignore[no-any-return]

    user_id_path = "user_id"

    @admin.display(description=_("owner"))
    def who(self, row: Any) -> str:  # noqa: ANN401 - of several models
        name = mask_owner(row.owner)
        return f"{name} {mask(row.email)}" if row.email else name

    def find_customers(self, term: str) -> list[int]:
        """Find customers by mail address, exactly, or by number."""
        if "@" in term:
            users = get_user_model()._default_manager.filter(email__iexact=term)  # noqa: SLF001
            return list(users.values_list("pk", flat=True)[:10])
        number = term.removeprefix("u:")
        return [int(number)] if number.isdecimal() and len(number) <= _BIGINT_DIGITS else []


class ShopperFilter(admin.SimpleListFilter):
    """Customers or guests."""

    title = _("shopper")
    parameter_name = "shopper"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - Django's signature
        return [("customer", _("customer")), ("guest", _("guest"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("customer", "guest"):
            return queryset.filter(user_id__isnull=self.value() == "guest")
        return queryset


def receipt_words(line: ReceiptLine) -> str:
    """Say for staff what a merge did to one SKU."""
    return gettext("%(sku)s: %(outcome)s, account %(account)d, guest %(guest)d, after %(result)d") % {
        "sku": line.sku_id,
        "outcome": OUTCOME_WORDS[line.outcome],
        "account": line.account,
        "guest": line.guest,
        "result": line.result,
    }
