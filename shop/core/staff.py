"""What the admin pages of all apps share: quick lists, truly read-only models, forms that notice they are stale."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from shop.core import clock
from shop.core.privacy import mask

if TYPE_CHECKING:  # Django's own classes take no type arguments at run time
    Admin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
    Form = forms.ModelForm[Any]
else:
    Admin, Inline, Form = admin.ModelAdmin, admin.TabularInline, forms.ModelForm


def change_page(model: str, key: object) -> str:
    """Give the address of a row's page in the admin (`model` as in `checkout_order`).

    Django reads two hexadecimal digits after an underscore in such an address as a character, so that a plain `ord_23…`
    would lead nowhere.
    """
    return reverse(f"admin:{model}_change", args=[quote(str(key))])


class QuickListAdmin(Admin):
    """A list whose cost does not grow with the table: 50 rows, one count of what is filtered, no facets."""

    list_per_page = 50
    list_max_show_all = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def save_model(self, request: HttpRequest, obj: Any, form: Form, change: bool) -> None:  # noqa: ANN401, FBT001 - Django's
        """Write only what was changed in the form: counters that others move meanwhile stay as they are."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in obj._meta.concrete_fields}  # noqa: SLF001 - Django's own way
        if names := columns & set(form.changed_data):
            obj.save(update_fields=names)


class ReadOnlyAdmin(QuickListAdmin):
    """Rows that only services write. Its models have a guard in the database as well; this keeps the buttons away."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}


class PersonalAdmin(ReadOnlyAdmin):
    """A list in which people are masked, and a page that shows them to those who may see it, and notes that it did."""

    personal_fields: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:  # noqa: ANN401 - Django's signature
        hidden = ("masked_email",) if self._may_see(request) else self.personal_fields
        return [name for name in super().get_fields(request, obj) if name not in hidden]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is not None and self._may_see(request) and self.has_view_permission(request, row):
            self.log_change(request, row, "Personal data shown")
        return super().change_view(request, object_id, form_url, extra_context)

    def _may_see(self, request: HttpRequest) -> bool:
        return request.user.has_perm("checkout.view_pii")

    @admin.display(description=_lazy("mail address"))
    def masked_email(self, row: Any) -> str:  # noqa: ANN401 - of several models
        return mask(row.email) if row.email else "–"


class FreshForm(Form):
    """A form that is refused if somebody else changed the row since the form was opened, and says what they changed."""

    opened_with = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - a form's signature
        super().__init__(*args, **kwargs)
        self.fields["opened_with"].initial = self._written(self.instance) if self.instance.pk else ""

    def clean(self) -> dict[str, Any] | None:
        """Compare the row with what the form was drawn from. It is locked from then on, until it is saved.

        :raises ValidationError: if they differ.
        """
        cleaned = super().clean()
        years = {"first": clock.FIRST_YEAR, "last": clock.LAST_YEAR}
        for name, value in list(self.cleaned_data.items()):
            if isinstance(value, datetime) and not clock.is_tellable(value):
                self.add_error(name, _("Choose a year from %(first)d to %(last)d.") % years)
        opened_with = (cleaned or self.cleaned_data).get("opened_with")
        if self.instance.pk and opened_with:
            manager = type(self.instance)._default_manager  # noqa: SLF001 - Django's own way
            row = manager.select_for_update(of=("self",), no_key=True).order_by("pk").get(pk=self.instance.pk)
            before, after = self._read(opened_with), json.loads(self._written(row))
            changed = [name for name in after if name in before and before[name] != after[name]]
            if changed:
                what = "; ".join(f"{name}: {before[name]} → {after[name]}" for name in changed)
                raise ValidationError(
                    _("Somebody changed this since you opened it (%(what)s). Open it again, then make your change."),
                    code="stale",
                    params={"what": what},
                )
        return cleaned

    def _written(self, instance: Model) -> str:
        names = [name for name in self.fields if name != "opened_with"]
        return json.dumps(model_to_dict(instance, fields=names), default=str)

    @staticmethod
    def _read(text: str) -> dict[str, Any]:
        try:
            before = json.loads(text)
        except ValueError:
            before = None
        if not isinstance(before, dict):
            raise ValidationError(_("Open this page again, then make your change."), code="stale")
        return before
