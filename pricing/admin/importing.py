"""Prices from a CSV file: a preview first, then all rows or none."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from pricing import selectors, services
from pricing.conf import conf
from pricing.importing import Sheet, read_prices
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
    "moment": _("“{value}” is no time such as 2026-03-01T09:00."),
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
                    shown["done"] = _set(request, sheet)
    values = {**context, "title": gettext("Import prices"), **shown}
    return TemplateResponse(request, "admin/pricing/import.html", values, status=status)


def _known(sku_ids: Collection[str]) -> Collection[str]:
    return catalog.list_cards(sku_ids=[sku_id for sku_id in sku_ids if 0 < len(sku_id) <= SKU_LENGTH])


def _problems(sheet: Sheet) -> list[tuple[int, str]]:
    return [(problem.row, str(PROBLEMS[problem.code]).replace("{value}", problem.value)) for problem in sheet.problems]


def _preview(sheet: Sheet) -> list[tuple[int, NewPrice, Money | None, Money]]:
    """Put the list price of now beside each price of the file."""
    sku_ids = {price.sku_id for _row, price in sheet.prices}
    currencies = {price.currency for _row, price in sheet.prices}
    now = clock.now()
    was = {code: selectors.current_prices(sku_ids=sku_ids, currency=code, now=now) for code in currencies}
    return [
        (row, price, was[price.currency].get(price.sku_id), Money(price.unit_price_minor, price.currency))
        for row, price in sheet.prices
    ]


@transaction.atomic
def _set(request: HttpRequest, sheet: Sheet) -> int:
    prices = [price for _row, price in sheet.prices]
    made = services.add_prices(prices=prices)
    for pk, price in zip(made, prices, strict=True):
        message = f"Imported: {price.unit_price_minor} {price.currency} from {price.valid_from.isoformat()}"
        note_change(user_id=cast("int", request.user.pk), model="pricing.price", object_id=str(pk), message=message)
    return len(made)
