"""Staff's pages of customers, to read, and of members of staff, for superusers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from shop.accounts.models import Customer, StaffMember
from shop.core.staff import PersonalAdmin

if TYPE_CHECKING:  # Django's own class takes no type arguments at run time
    CreationForm = AdminUserCreationForm[StaffMember]
    Users = UserAdmin[StaffMember]
else:
    CreationForm, Users = AdminUserCreationForm, UserAdmin

_BIGINT_DIGITS = 18

# The lists of other apps, by the names of their pages: accounts know nothing of these apps.
LISTS = (
    (_("Carts"), "cart.cartrecord", "q=u:{}"),
    (_("Saved lines"), "cart.savedline", "q=u:{}"),
    (_("Checkouts"), "checkout.checkout", "user_id={}"),
    (_("Orders"), "checkout.order", "user_id={}"),
    (_("Reminders"), "notifications.abandonment", "user_id={}"),
    (_("Price deltas"), "pricing.pricedelta", "owner=u:{}"),
)


@admin.register(Customer)
class CustomerAdmin(PersonalAdmin):
    """Who buys here. What they bought, left and were sent is one click away."""

    list_display = ("number", "masked_email", "date_joined", "last_login", "is_active")
    list_filter = ("is_active",)
    date_hierarchy = "date_joined"
    ordering = ("-date_joined", "-id")
    search_fields = ("=email",)
    search_help_text = _("Mail address or customer number (u:42), exactly")
    personal_fields = ("email", "first_name", "last_name")
    fields = (
        *("number", "masked_email", "email", "first_name", "last_name", "is_confirmed", "is_active"),
        *("date_joined", "last_login", "lists", "data"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        customers: QuerySet[Customer] = super().get_queryset(request).filter(is_staff=False)
        return customers

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """Find customers by mail address or number."""
        term = search_term.strip()
        if not term or "\0" in term:
            return (queryset if not term else queryset.none()), False
        number = term.removeprefix("u:")
        if number.isascii() and number.isdecimal() and len(number) <= _BIGINT_DIGITS:
            return queryset.filter(pk=int(number)), False
        return queryset.filter(email__iexact=term), False

    @admin.display(description=_("customer"), ordering="id")
    def number(self, customer: Customer) -> str:
        return f"u:{customer.pk}"

    @admin.display(description=_("address confirmed"), boolean=True)
    def is_confirmed(self, customer: Customer) -> bool:
        confirmed = EmailAddress.objects.filter(user_id=customer.pk, email__iexact=customer.email, verified=True)
        return bool(confirmed.exists())

    @admin.display(description=_("see"))
    def lists(self, customer: Any) -> SafeString | str:  # noqa: ANN401 - with who looks
        """Lead to the lists of other apps that who looks may see."""
        parts = [(model.split("."), query, name) for name, model, query in LISTS]
        links = [
            (reverse(f"admin:{app}_{model}_changelist"), query.format(customer.pk), name)
            for (app, model), query, name in parts
            if customer.looked_at_by.has_perm(f"{app}.view_{model}")
        ]
        return format_html_join(" · ", '<a href="{}?{}">{}</a>', links) or "–"

    @admin.display(description=_("personal data"))
    def data(self, customer: Any) -> SafeString | str:  # noqa: ANN401 - with who looks
        """Lead to the page where it is given out and erased."""
        if not any(customer.looked_at_by.has_perm(f"accounts.{may}_customer") for may in ("export", "erase")):
            return "–"
        words = _("Export data or erase")
        return format_html('<a href="{}">{}</a>', reverse("customer_data", args=[customer.pk]), words)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:  # noqa: ANN401 - with who looks
        customer: Any = super().get_object(request, object_id, from_field)
        if customer is not None:
            customer.looked_at_by = request.user
        return customer


class StaffCreationForm(CreationForm):
    """A new member of staff: a mail address and a password."""

    class Meta:
        model = StaffMember
        fields = ("email",)

    def clean_email(self) -> str:
        """Keep it in lower case, as accounts are."""
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(StaffMember)
class StaffAdmin(Users):
    """Who works here and in which groups: for superusers. Nobody is deleted, only deactivated: the log names them."""

    add_form = StaffCreationForm
    list_display = ("email", "first_name", "last_name", "in_groups", "is_superuser", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    show_facets = admin.ShowFacets.NEVER
    ordering = ("email",)
    search_fields = ("email", "first_name", "last_name")
    search_help_text = _("Mail address or name")
    filter_horizontal = ("groups",)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "first_name", "last_name")}),
        (
            _("Rights"),
            {
                "fields": ("is_active", "groups", "is_superuser"),
                "description": _("Groups are for daily work; a superuser is for setting up."),
            },
        ),
        (None, {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffMember]:
        return super().get_queryset(request).filter(is_staff=True).prefetch_related("groups")

    @admin.display(description=_("groups"))
    def in_groups(self, member: StaffMember) -> str:
        return ", ".join(group.name for group in member.groups.all()) or "–"

    def get_readonly_fields(self, request: HttpRequest, obj: StaffMember | None = None) -> Any:  # noqa: ANN401 - Django's signature
        """Nobody locks themselves out."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "is_active", "is_superuser") if obj is not None and obj.pk == request.user.pk else fixed

    def save_model(self, request: HttpRequest, obj: StaffMember, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's signature
        """Whoever is made here works here."""
        obj.is_staff = True
        super().save_model(request, obj, form, change)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: StaffMember | None = None) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: StaffMember | None = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: StaffMember | None = None) -> bool:
        return False

    @staticmethod
    def _may(request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)
