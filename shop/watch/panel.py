"""The availability panel of one SKU: why it is available or not, who has it, and what staff can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from cart.wanting import count_wanted
from inventory import selectors as stock
from inventory import services as inventory
from inventory.messages import RELEASE_WORDS, entry_words
from inventory.services.adjusting import MAX_ON_HAND, NOTE_MAX_LENGTH
from inventory.types import ReleaseReason
from inventory.watching import stock_panel
from shop.catalog import selectors as catalog
from shop.checkout.holders import label_checkouts
from shop.core import clock
from shop.core.audit import note_change
from shop.core.errors import Refusal
from shop.core.ids import new_id
from shop.core.words import detail_words, words


class ReleaseForm(forms.Form):
    """Which reservation ends, and why."""

    reservation = forms.CharField(max_length=40)
    reason = forms.ChoiceField(
        label=_("Reason"), choices=[("", "—"), *RELEASE_WORDS.items()], help_text=_("The shopper reads it.")
    )
    note = forms.CharField(label=_("Note"), max_length=NOTE_MAX_LENGTH, required=False, help_text=_("For staff only."))


class ExtendForm(forms.Form):
    """Which reservation gets ten minutes more."""

    reservation = forms.CharField(max_length=40)


class RecountForm(forms.Form):
    """What a count of the shelf found."""

    counted = forms.IntegerField(label=_("Counted on the shelf"), min_value=0, max_value=MAX_ON_HAND)
    unshipped = forms.IntegerField(
        label=_("Of these sold, but not sent yet"), min_value=0, max_value=MAX_ON_HAND, initial=0
    )
    note = forms.CharField(label=_("Note"), max_length=NOTE_MAX_LENGTH, required=False, help_text=_("For staff only."))
    location = forms.SlugField(required=False, widget=forms.HiddenInput)
    """Which shelf was counted, if the shop has several."""
    on_hand_then = forms.IntegerField(min_value=0, max_value=MAX_ON_HAND, widget=forms.HiddenInput)
    """What was on hand when the page was opened: sales since then stay sold."""
    operation = forms.RegexField(r"^cnt_[0-9A-Z]{24}$", widget=forms.HiddenInput)


class RepairForm(forms.Form):
    """Nothing to enter."""


RELEASE = ("inventory.release_reservation", "inventory.force_release")

FORMS: dict[str, tuple[type[forms.Form], tuple[str, ...]]] = {
    "release": (ReleaseForm, RELEASE),
    "extend": (ExtendForm, ("inventory.release_reservation",)),
    "recount": (RecountForm, ("inventory.adjust_stock",)),
    "repair": (RepairForm, ("inventory.adjust_stock",)),
}
"""What can be done here: what has to be entered, and the rights of which one is needed."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done to which object, what is said to staff, and what the audit notes."""

    model: str
    object_id: str
    told: str
    note: str


@never_cache
def availability(request: HttpRequest, sku_id: str) -> HttpResponse:
    """Show the panel of a SKU, or do one of `FORMS` and show it again.

    :raises PermissionDenied: if the member of staff may not see stock, or not do this.
    :raises Http404: if there is no such SKU.
    """
    if not request.user.has_perm("inventory.view_stockitem"):
        raise PermissionDenied
    card = catalog.list_cards(sku_ids=[sku_id]).get(sku_id)
    if card is None:
        raise Http404
    what = request.POST.get("do", "")
    form: forms.Form | None = None
    if request.method == "POST":
        if what not in FORMS:
            raise Http404
        kind, rights = FORMS[what]
        if not any(request.user.has_perm(right) for right in rights):
            raise PermissionDenied
        form = kind(request.POST)
        if form.is_valid() and _done(request, sku_id, what, form):
            return HttpResponseRedirect(request.path)
    context = {**_context(request, sku_id), "card": card, f"{what}_form" if form else "no_form": form}
    return TemplateResponse(request, "admin/watch/availability.html", context, status=422 if form else 200)


def _done(request: HttpRequest, sku_id: str, what: str, form: forms.Form) -> bool:
    """Do it and note who did, in one transaction; a refusal is shown at its form."""
    try:
        with transaction.atomic(durable=True):
            done = _act(request, sku_id, what, form.cleaned_data)
            note_change(
                user_id=cast("int", request.user.pk), model=done.model, object_id=done.object_id, message=done.note
            )
    except Refusal as refusal:
        problem = words(refusal)
        for detail in refusal.errors:
            form.add_error(None, detail_words(detail))
        if not refusal.errors:
            form.add_error(None, problem.detail)
        return False
    messages.success(request, done.told)
    return True


def _act(request: HttpRequest, sku_id: str, what: str, entered: dict[str, Any]) -> _Done:
    """Call the service."""
    match what:
        case "release":
            reason, may_force = ReleaseReason(entered["reason"]), request.user.has_perm("inventory.force_release")
            held = stock.get_reservation(reservation_id=entered["reservation"])
            is_pinned = held.pinned_until is not None and held.pinned_until > clock.now()
            # Who may only force has the reservations of payments for a business, and no others.
            if not is_pinned and not request.user.has_perm("inventory.release_reservation"):
                raise PermissionDenied
            view = inventory.release_by_staff(reservation_id=held.reservation_id, reason=reason, may_force=may_force)
            units = ", ".join(f"{line.quantity} × {line.sku_id}" for line in view.lines)
            told = gettext("Released: %(units)s.") % {"units": units}
            note = f"Released ({reason.value}) {units}: {entered['note']}"
            return _Done("inventory.reservation", view.reservation_id, told, note)
        case "extend":
            view = inventory.add_time(reservation_id=entered["reservation"])
            told = gettext("10 minutes added.")
            return _Done("inventory.reservation", view.reservation_id, told, "10 minutes added")
        case "recount":
            on_hand = inventory.recount(
                sku_id=sku_id,
                counted=entered["counted"],
                unshipped=entered["unshipped"],
                on_hand_then=entered["on_hand_then"],
                by=request.user.pk,
                note=entered["note"],
                reference=entered["operation"],
                location=entered["location"],
            )
            where = f" in {entered['location']}" if entered["location"] else ""
            note = f"Counted {entered['counted']}{where}, of which {entered['unshipped']} not sent: {entered['note']}"
            told = gettext("Counted. %(on_hand)d on hand.") % {"on_hand": on_hand}
            return _Done("inventory.stockitem", sku_id, told, note)
        case _:
            found = inventory.repair_drift(sku_id=sku_id, by=request.user.pk)
            told = gettext("Counters repaired; see the ledger.") if found else gettext("Counters agree.")
            note = "Counters repaired" if found else "Counters checked"
            return _Done("inventory.stockitem", sku_id, told, note)


def _context(request: HttpRequest, sku_id: str) -> dict[str, Any]:
    panel = stock_panel(sku_id=sku_id)
    now = clock.now()
    labels = label_checkouts(checkout_ids=[holder.owner for holder in panel.holders] if panel else [])
    holders = [
        {
            "holder": holder,
            "label": labels.get(holder.owner),
            "left": _minutes(int((holder.expires_at - now).total_seconds())),
        }
        for holder in (panel.holders if panel else ())
    ]
    ledger = panel.ledger if panel else ()
    staff = get_user_model().objects.in_bulk({line.by for line in ledger if line.by is not None})
    names = {pk: user.get_full_name() or user.get_username() for pk, user in staff.items()}
    entries = [
        {"line": line, "what": entry_words(line.kind, line.reason), "by": names.get(line.by, line.by) or "–"}
        for line in ledger
    ]
    # Where there is nothing to choose, nobody is asked for a location.
    places = panel.places if panel and len(panel.places) > 1 else ()
    at = request.POST.get("location") or request.GET.get("at")
    counted = next((place for place in places if place.code == at), places[0] if places else None)
    on_hand = counted.on_hand if counted else panel.on_hand if panel else 0
    shelf = counted.code if counted else ""
    return {
        **admin.site.each_context(request),
        "title": gettext("Availability"),
        "subtitle": sku_id,
        "sku_id": sku_id,
        "panel": panel,
        "holders": holders,
        "entries": entries,
        "wanted": count_wanted(sku_id=sku_id),
        "checked_at": now,
        "may_release": any(request.user.has_perm(right) for right in RELEASE),
        "may_adjust": request.user.has_perm("inventory.adjust_stock"),
        "release_form": ReleaseForm(),
        "places": places,
        "counted_place": counted,
        "recount_form": RecountForm(
            initial={"on_hand_then": on_hand, "unshipped": 0, "operation": new_id("cnt"), "location": shelf}
        ),
        "ledger_url": reverse("admin:inventory_stockentry_changelist") + f"?q={sku_id}",
    }


def _minutes(seconds: int) -> str:
    return f"{max(0, seconds) // 60}:{max(0, seconds) % 60:02d}"
