"""Staff's page of one customer's data: to give out, and to erase."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from shop.core import clock
from shop.core.audit import note_change
from shop.core.errors import Refusal
from shop.core.words import words
from shop.personal import services
from shop.personal.errors import CustomerUnknownError
from shop.personal.services import Person

RIGHTS = {"export": "accounts.export_customer", "erase": "accounts.erase_customer"}
"""What can be done here, and the right that is needed."""


class EraseForm(forms.Form):
    """Why, and the customer's number once more: there is no way back."""

    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("For the log, without names."))
    number = forms.CharField(
        label=_("Customer"), max_length=24, help_text=_("The number of the customer (u:42), typed once more.")
    )

    def __init__(self, data: Any = None, *, user_id: int) -> None:  # noqa: ANN401 - what was posted
        super().__init__(data, auto_id="erase_%s")
        self.user_id = user_id

    def clean_number(self) -> str:
        """Take this customer's number alone.

        :raises ValidationError: if it is another.
        """
        number = str(self.cleaned_data["number"]).strip()
        if number != f"u:{self.user_id}":
            raise forms.ValidationError(_("This is not the customer of this page."), code="other_customer")
        return number


@never_cache
def customer_data(request: HttpRequest, user_id: int) -> HttpResponse:
    """Show what can be done with a customer's data, or do it.

    :raises PermissionDenied: if the member of staff may do neither, or not this.
    :raises Http404: if there is no such customer.
    """
    may = {name: request.user.has_perm(right) for name, right in RIGHTS.items()}
    what = request.POST.get("do", "")
    if not any(may.values()) or (what and not may.get(what)):
        raise PermissionDenied
    try:
        person = services.find_person(who=str(user_id))
    except CustomerUnknownError as refusal:
        raise Http404 from refusal
    form = EraseForm(request.POST if what == "erase" else None, user_id=user_id)
    failed = ""
    try:
        if what == "export":
            return _export(request, person)
        if what == "erase" and form.is_valid():
            return _erase(request, person, form.cleaned_data["reason"])
    except Refusal as refusal:
        failed = words(refusal).detail
    context = {
        **admin.site.each_context(request),
        "title": gettext("Personal data"),
        "subtitle": f"u:{user_id}",
        "user_id": user_id,
        "orders": len(services.list_order_numbers(person)),
        "may": may,
        "form": form,
        "failed": failed,
    }
    is_refused = bool(failed or form.errors)
    return TemplateResponse(request, "admin/personal/customer.html", context, status=422 if is_refused else 200)


def _export(request: HttpRequest, person: Person) -> HttpResponse:
    known = services.export_person(person)
    _note(request, person, "Personal data given out")
    answer = HttpResponse(json.dumps(known, ensure_ascii=False, indent=2), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="customer-{person.user_id}.json"'
    return answer


def _erase(request: HttpRequest, person: Person, reason: str) -> HttpResponse:
    services.erase_person(person, now=clock.now(), note=lambda: _note(request, person, f"Erased: {reason}"))
    messages.success(request, gettext("Customer u:%(number)s is erased.") % {"number": person.user_id})
    return HttpResponseRedirect(reverse("admin:accounts_customer_changelist"))


def _note(request: HttpRequest, person: Person, message: str) -> None:
    by, whose = cast("int", request.user.pk), str(person.user_id)
    note_change(user_id=by, model="accounts.customer", object_id=whose, message=message)
