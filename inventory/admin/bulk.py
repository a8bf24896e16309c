"""Stock as CSV: out, with formulas defused, and in, with a preview, all rows or none."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from typing import Any, cast

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inventory import services
from inventory.importing import MOST_BYTES, Sheet, read_sheet
from inventory.models import LocationStock, StockItem
from inventory.places import list_choices, list_locations
from shop.catalog import selectors as catalog
from shop.core.audit import note_change
from shop.core.errors import RejectedError, UnavailableError
from shop.core.ids import new_id
from shop.core.sheets import defused
from shop.core.words import detail_words, words

MOST_EXPORTED = 50_000
SKU_LENGTH = 64
PROBLEMS = {
    "unreadable": _("This is no CSV file: {value}"),
    "columns": _("The first row must name the columns sku_id, change and reason, and may name note."),
    "rows": _("Between 1 and {value} rows can be booked at once."),
    "sku_unknown": _("There is no SKU “{value}”."),
    "change": _("“{value}” is no change: a whole number such as 5 or -5, but not 0."),
    "reason": _("“{value}” is none of the reasons."),
    "note": _("The note is too long."),
    "location": _("There is no open location “{value}”."),
    "twice": _("SKU “{value}” stands in the file twice."),
}


class ImportForm(forms.Form):
    """A file at first; then its text, which was shown, to be booked."""

    file = forms.FileField(label=_("CSV file"), required=False, help_text=_("Columns: sku_id, change, reason, note."))
    text = forms.CharField(widget=forms.HiddenInput, required=False, max_length=MOST_BYTES, strip=False)
    operation = forms.RegexField(r"^imp_[0-9A-Z]{24}$", widget=forms.HiddenInput)

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


def export(items: Iterable[StockItem]) -> HttpResponse:
    """Write stock items as CSV, at most `MOST_EXPORTED`; where a shop has locations, a row for each of them."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="stock.csv"'
    writer = csv.writer(response)
    heading = ["sku_id", "on_hand", "reserved", "available"]
    if list_locations():
        writer.writerow([*heading, "location"])
        chosen = [item.sku_id for item in items]
        for place in LocationStock.objects.filter(sku_id__in=chosen).select_related("location")[:MOST_EXPORTED]:
            writer.writerow([*_numbers(place), defused(place.location.code)])
        return response
    writer.writerow(heading)
    for item in items:
        writer.writerow(_numbers(item))
    return response


def _numbers(counted: StockItem | LocationStock) -> list[object]:
    available = counted.on_hand - counted.reserved
    return [defused(cell) for cell in (counted.sku_id, counted.on_hand, counted.reserved, available)]


def import_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Take a file, show what it would do, and do it when that is confirmed.

    :raises PermissionDenied: if the member of staff may not adjust stock.
    """
    if not request.user.has_perm("inventory.adjust_stock"):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None, initial={"operation": new_id("imp")})
    codes = [location.code for location in list_choices()]
    shown: dict[str, Any] = {"form": form, "locations": codes}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            entered = form.cleaned_data
            sheet = read_sheet(entered["text"], find_known=_known, locations=codes)
            shown |= _preview(sheet, entered)
            if not sheet.problems and request.POST.get("do") == "book":
                shown |= _book(request, sheet, entered["operation"])
            status = 422 if shown["problems"] else 200
    return TemplateResponse(
        request,
        "admin/inventory/import.html",
        {
            **context,
            "title": gettext("Import adjustments"),
            "fresh_operation": new_id("imp"),
            "problems": [],
            **shown,
        },
        status=status,
    )


def _known(sku_ids: Collection[str]) -> Collection[str]:
    return catalog.list_cards(sku_ids=[sku_id for sku_id in sku_ids if 0 < len(sku_id) <= SKU_LENGTH])


def _preview(sheet: Sheet, entered: dict[str, Any]) -> dict[str, Any]:
    sku_ids = [row.sku_id for row in sheet.rows]
    items = StockItem.objects.in_bulk(sku_ids)
    places = {
        (place.sku_id, place.location.code): place
        for place in LocationStock.objects.filter(sku_id__in=sku_ids).select_related("location")
    }
    rows = []
    for row in sorted(sheet.rows, key=lambda row: row.row):
        item: StockItem | LocationStock
        if row.location:
            item = places.get((row.sku_id, row.location)) or LocationStock(sku_id=row.sku_id)
        else:
            item = items.get(row.sku_id) or StockItem(sku_id=row.sku_id)
        after = item.on_hand + row.delta
        rows.append({"row": row, "item": item, "after": after, "is_short": after < item.reserved})
    problems = [
        (problem.row, str(PROBLEMS[problem.code]).replace("{value}", problem.value)) for problem in sheet.problems
    ]
    return {"rows": rows, "problems": problems, "text": entered["text"], "operation": entered["operation"]}


def _book(request: HttpRequest, sheet: Sheet, operation: str) -> dict[str, Any]:
    by = cast("int", request.user.pk)
    try:
        with transaction.atomic(durable=True):
            booked = services.adjust_many(adjustments=sheet.rows, by=by, reference=operation)
            for row in sheet.rows:
                where = f" in {row.location}" if row.location else ""
                message = f"{row.delta:+d}{where}, {row.reason.value}: {row.note} (import {operation})"
                note_change(user_id=by, model="inventory.stockitem", object_id=row.sku_id, message=message)
    except RejectedError as refusal:
        found = [(int(detail.pointer.rpartition("/")[2]), detail_words(detail)) for detail in refusal.errors]
        return {"problems": found}
    except UnavailableError as refusal:
        return {"problems": [(0, words(refusal).detail)]}
    return {"booked": booked}
