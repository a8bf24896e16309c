"""Prices from a CSV file: a preview first, then all rows or none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from pricing import selectors, services
from pricing.admin.meeting import describe, meeting_words
from pricing.conf import conf
from pricing.importing import Sheet, read_prices
from pricing.models import Price
from pricing.overlaps import key_of, list_rivals
from pricing.types import NewPrice
from shop.catalog import selectors as catalog
from shop.core import clock
from shop.core.audit import note_change
from shop.core.money import Money

MOST_BYTES = 1_000_000
SKU_LENGTH = 64
PROBLEMS = {
    "unreadable": _("This is no CSV file: {value}"),
    "columns": _("The first row names sku_id and price, and may name currency, segment, valid_from and valid_until."),
    "rows": _("Between 1 and {value} rows can be set at once."),
    "cells": _("There are more cells than columns."),
    "sku_unknown": _("There is no SKU “{value}”."),
    "price": _("“{value}” is no price: an amount above 0 such as 14.00."),
    "currency": _("“{value}” is no currency."),
    "segment": _("The segment “{value}…” is too long."),
    "moment": _("“{value}” is no time with its zone, such as 2026-03-01T09:00Z."),
    "ends": _("The end must be later than the beginning."),
    "twice": _("“{value}” stands in the file twice from the same moment."),
}


class ImportForm(forms.Form):
    """A file at first; then its text, which was shown, to be set."""

    file = forms.FileField(
        label=_("CSV file"),
        required=False,
        help_text=_("Columns: sku_id, price; and if wanted currency, segment, valid_from, valid_until."),
    )
    text = forms.CharField(widget=forms.HiddenInput, required=False, max_length=MOST_BYTES, strip=False)

    def clean(self) -> dict[str, Any]:
        """Read the file's text.

        :raises ValidationError: if there is none, it is too long, or it is not UTF-8.
        """
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is not None:
            if file.size > MOST_BYTES:
                raise forms.ValidationError(_("The file is too long."))
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError(_("Save the file as UTF-8.")) from None
        if not cleaned.get("text"):
            raise forms.ValidationError(_("Choose a file."))
        return cleaned


def import_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what a file does, and do it when `do=set` confirms. The caller has checked the permission."""
    form = ImportForm(request.POST or None, request.FILES or None)
    shown: dict[str, Any] = {"form": form, "problems": []}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            text = form.cleaned_data["text"]
            sheet = read_prices(text, currency=conf().currency, now=clock.now(), find_known=_known)
            shown |= {"text": text, "rows": _preview(sheet), "problems": _problems(sheet)}
            if not sheet.problems:
                status = 200
                if request.POST.get("do") == "set":
                    return _done(request, _set(request, sheet))
    values = {**context, "title": gettext("Import prices"), **shown}
    return TemplateResponse(request, "admin/pricing/import.html", values, status=status)


def _done(request: HttpRequest, count: int) -> HttpResponse:
    """Lead to the list of prices, so that a reload sets nothing once more."""
    told = ngettext("%(count)d price set.", "%(count)d prices set.", count) % {"count": count}
    messages.success(request, told)
    return HttpResponseRedirect(reverse("admin:pricing_price_changelist"))


def _known(sku_ids: Collection[str]) -> Collection[str]:
    return catalog.list_cards(sku_ids=[sku_id for sku_id in sku_ids if 0 < len(sku_id) <= SKU_LENGTH])


def _problems(sheet: Sheet) -> list[tuple[int, str]]:
    return [(problem.row, str(PROBLEMS[problem.code]).replace("{value}", problem.value)) for problem in sheet.problems]


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of the file beside what is on record."""

    row: int
    price: NewPrice
    was: Money | None
    """The list price now."""
    becomes: Money
    replaces: str
    """The price that goes for this one, as both begin at the same moment; empty if none."""
    meets: list[str]
    """What is valid at the same time, and which goes first."""


def _preview(sheet: Sheet) -> list[Shown]:
    """Put what is on record beside each price of the file: a query for the prices of now a currency, one for rivals."""
    prices = [price for _row, price in sheet.prices]
    now = clock.now()
    was = {
        code: selectors.current_prices(sku_ids={price.sku_id for price in prices}, currency=code, now=now)
        for code in {price.currency for price in prices}
    }
    rivals = list_rivals(prices)
    shown = []
    for row, price in sheet.prices:
        mine = rivals.get(key_of(price), ())
        same = next((other for other in mine if other.valid_from == price.valid_from), None)
        replaces = describe(same) if same else ""
        becomes = Money(price.unit_price_minor, price.currency)
        meets = meeting_words(price, mine)
        shown.append(Shown(row, price, was[price.currency].get(price.sku_id), becomes, replaces, meets))
    return shown


@transaction.atomic
def _set(request: HttpRequest, sheet: Sheet) -> int:
    prices = [price for _row, price in sheet.prices]
    before = {(*key_of(row), row.valid_from): row for rows in list_rivals(prices).values() for row in rows}
    made = services.add_prices(prices=prices)
    for pk, price in zip(made, prices, strict=True):
        message = _message(price, before.get((*key_of(price), price.valid_from)))
        note_change(user_id=cast("int", request.user.pk), model="pricing.price", object_id=str(pk), message=message)
    return len(made)


def _message(price: NewPrice, replaced: Price | None) -> str:
    """Say for the history what was set, and from what where it replaced a price."""
    if replaced is None:
        return f"Imported: {price.unit_price_minor} {price.currency} from {price.valid_from.isoformat()}"
    changes = f"unit_price_minor: {replaced.unit_price_minor} → {price.unit_price_minor}"
    return f"Imported: {changes}; valid_until: {replaced.valid_until} → {price.valid_until}"
