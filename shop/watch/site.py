"""Staff's site: Django's, with a first page that says how the shop does and what needs somebody, and one search box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from shop.accounts.staff import StaffSignInForm
from shop.core import clock
from shop.core.money import Money
from shop.core.staff import change_page
from shop.watch import attention, figures
from shop.watch.figures import Day, Figures

SEARCHED = {
    "catalog.sku": "sku_id",
    "checkout.order": "number",
    "checkout.checkout": "checkout_id",
    "inventory.reservation": "id",
    "checkout.payment": "payment_id",
    "accounts.customer": "",
    "cart.cartrecord": "",
}
"""Where the search box looks, and the field that names one row by itself."""
MOST_HITS = 20
FUNNEL = {
    "cart": _("cart"),
    "checkout": _("checkout"),
    "payment": _("payment"),
    "paid": _("paid"),
}
FINDINGS = {
    "split_is_wrong": _("the split is broken: no number counts"),
    "too_early": _("too early to say"),
    "no_difference": _("no difference that could not be chance"),
    "helps": _("mailed customers order more often"),
    "harms": _("mailed customers order less often"),
    "guard_rail": _("mailed customers order more often, but too many complained or opted out"),
}


class FindForm(forms.Form):
    """The search box. It is posted: a mail address does not belong in an address or its log."""

    q = forms.CharField(
        label=_("Find"),
        max_length=254,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "size": 40}),
        help_text=_("SKU, order, checkout, reservation, payment, mail address or guest (g:9f3a1b)"),
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found."""

    url: str
    text: str


class ShopAdminSite(admin.AdminSite):
    """Django's site with a first page and a search of its own."""

    site_header = "Trolley"
    site_title = "Trolley"
    index_title = _("Today")
    index_template = "admin/watch/dashboard.html"
    login_form = StaffSignInForm

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("find/", self.admin_view(self.find_view), name="find"), *super().get_urls()]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - Django's signature
        """Wrap a page of staff's: what no database can look for is refused at the door, wherever it stands."""
        page = super().admin_view(view, cacheable)

        @wraps(page)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the page's
            if _has_nul(request):
                raise BadRequest("a NUL")
            return page(request, *args, **kwargs)

        return guarded

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """List the apps; the mail addresses, which are a library's, stand with the people whose they are."""
        found = super().get_app_list(request, app_label)
        people = {app["app_label"]: app for app in found if app["app_label"] in ("accounts", "account")}
        if len(people) < 2:  # noqa: PLR2004 - both of them
            return found
        people["accounts"]["models"] += people["account"]["models"]
        return [app for app in found if app["app_label"] != "account"]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show how the shop does: only blocks whose lists the member of staff may see."""
        return super().index(request, {**_dashboard(request), **(extra_context or {})})

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Open the one row that was meant, or list all that fit."""
        form = FindForm(request.POST or None)
        groups: list[tuple[str, list[Hit]]] = []
        if request.method == "POST" and form.is_valid():
            term = form.cleaned_data["q"]
            named = self._named(request, term)
            groups = [] if named else self._fitting(request, term)
            hits = [hit for _name, found in groups for hit in found]
            if named or len(hits) == 1:
                return HttpResponseRedirect((named or hits[0]).url)
        context = {
            **self.each_context(request),
            "title": gettext("Find"),
            "find_form": form,
            "groups": groups,
            "is_searched": form.is_bound and form.is_valid(),
            "most": MOST_HITS,
        }
        return TemplateResponse(request, "admin/watch/find.html", context, status=422 if form.errors else 200)

    def _named(self, request: HttpRequest, term: str) -> Hit | None:
        """Find the row whose own number or id this is."""
        for label, field in SEARCHED.items():
            model_admin = self.get_model_admin(apps.get_model(label))
            if field and model_admin.has_view_permission(request):
                row = model_admin.get_queryset(request).filter(**{field: term}).first()
                if row is not None:
                    return _hit(request, label, row)
        return None

    def _fitting(self, request: HttpRequest, term: str) -> list[tuple[str, list[Hit]]]:
        """Find the rows that a search in each list would show, the newest first, without the lists that have none."""
        groups = []
        for label in SEARCHED:
            model_admin = self.get_model_admin(apps.get_model(label))
            if not model_admin.has_view_permission(request):
                continue
            found, may_repeat = model_admin.get_search_results(request, model_admin.get_queryset(request), term)
            chosen = (found.distinct() if may_repeat else found)[:MOST_HITS]
            if hits := [_hit(request, label, row) for row in chosen]:
                groups.append((capfirst(str(model_admin.opts.verbose_name_plural)), hits))
        return groups


def _has_nul(request: HttpRequest) -> bool:
    """Look at what no form reads: those, the search box of a list included, say themselves what is wrong."""
    values = [value for name, listed in request.GET.lists() if name != SEARCH_VAR for value in listed]
    return any("\x00" in text for text in (request.path, *values, *request.POST.getlist("_selected_action")))


def _hit(request: HttpRequest, label: str, row: Model) -> Hit:
    if label == "catalog.sku" and request.user.has_perm("inventory.view_stockitem"):
        return Hit(reverse("stock_availability", args=[row.serializable_value("sku_id")]), str(row))
    return Hit(change_page(label.replace(".", "_"), row.pk), str(row))


def _dashboard(request: HttpRequest) -> dict[str, Any]:
    may_see, now = request.user.has_perm, clock.now()
    kept = figures.read()
    context: dict[str, Any] = {
        "find_form": FindForm(auto_id="find_%s"),
        "concerns": attention.list_concerns(may_see=may_see, now=now),
        "ages": attention.list_ages(now=now) if may_see("watch.view_alert") else (),
    }
    if kept is None:
        return context
    found, counted_at = kept
    blocks: dict[str, tuple[str, Callable[[], Any]]] = {
        "days": ("checkout.view_checkout", lambda: _days(found, now)),
        "funnel": ("checkout.view_checkout", lambda: _funnel(found)),
        "lost": ("checkout.view_checkout", lambda: found.funnel),
        "contended": ("inventory.view_stockitem", lambda: found.contended),
        "changes": ("pricing.view_pricedelta", lambda: {**found.changes, "left": _left(found)}),
        "campaigns": ("notifications.view_campaign", lambda: _campaigns(found)),
    }
    shown = {name: draw() for name, (right, draw) in blocks.items() if may_see(right)}
    return {**context, **shown, "counted_at": counted_at}


def _left(found: Figures) -> int:
    return found.changes["up"] - found.changes["agreed"]


def _days(found: Figures, now: datetime) -> list[dict[str, Any]]:
    """Put today's numbers beside those of a week ago; each with the list behind it."""
    today = timezone.localtime(now)
    parts = (("year", today.year), ("month", today.month), ("day", today.day))

    def day(field: str) -> str:
        return "&".join(f"{field}__{part}={number}" for part, number in parts)

    def row(name: str, pick: Callable[[Day], int], url: str) -> dict[str, Any]:
        number, before = pick(found.today), pick(found.week_ago)
        return {"name": name, "number": number, "change": _change(number, before), "before": before, "url": url}

    shares = [f"{one.reserved_and_paid:.0%}" if one.reserved_and_paid is not None else "–" for one in _two(found)]
    checkouts, orders = reverse("admin:checkout_checkout_changelist"), reverse("admin:checkout_order_changelist")
    return [
        row(gettext("Carts with items"), lambda one: one.carts, reverse("admin:cart_cartrecord_changelist")),
        row(gettext("Checkouts"), lambda one: one.checkouts, f"{checkouts}?{day('created_at')}"),
        row(gettext("Orders"), lambda one: one.orders, f"{orders}?{day('placed_at')}"),
        {"name": gettext("Reserved → paid"), "number": shares[0], "before": shares[1], "change": "", "url": ""},
    ]


def _two(found: Figures) -> tuple[Day, Day]:
    return found.today, found.week_ago


def _change(number: int, before: int) -> str:
    """Say by how much it grew or fell; nothing where there was nothing to compare with."""
    if not before or number == before:
        return ""
    return f"{'▲' if number > before else '▼'} {abs(number - before) / before:.0%}"


def _funnel(found: Figures) -> list[dict[str, Any]]:
    most = max(*(found.funnel[key] for key in FUNNEL), 1)
    return [
        {"name": name, "number": found.funnel[key], "width": round(100 * found.funnel[key] / most, 1)}
        for key, name in FUNNEL.items()
    ]


def _campaigns(found: Figures) -> list[dict[str, Any]]:
    return [
        {
            "campaign": one,
            "url": reverse("admin:notifications_campaign_report", args=[one.campaign_id]),
            "arms": [
                {
                    "name": name,
                    "arm": arm,
                    "share": f"{arm.ordered / arm.carts:.1%}" if arm.carts else "–",
                    "revenue": Money(arm.revenue_minor, one.currency),
                }
                for name, arm in ((gettext("mailed"), one.mailed), (gettext("hold-out"), one.holdout))
            ],
            "lift": [f"{100 * part:+.1f}" for part in (one.lift[1], one.lift[0], one.lift[2])] if one.lift else None,
            "finding": FINDINGS.get(one.finding, one.finding),
        }
        for one in found.campaigns
    ]
