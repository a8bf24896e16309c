"""`/metrics` for Prometheus, in its text format 0.0.4. Numbers come from the servers, none is kept in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from cart import selectors as carts
from cart import watching as dead_letters
from cart.errors import CartsUnavailableError
from inventory import watching
from inventory.places import place_totals
from shop.core.conf import conf as api_conf
from shop.core.http import network_address
from shop.watch import selectors
from shop.watch.conf import conf
from shop.watch.sections import SECTIONS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples: the value of its only label → number, or just one number."""

    name: str
    kind: str
    help: str
    value: float | None = None
    label: str = ""
    samples: Mapping[str, float] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Write it; backslash, quote and line end are escaped as the format asks."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        if self.value is not None:
            yield f"{self.name} {self.value:g}"
        for label, number in sorted(self.samples.items()):
            text = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            yield f'{self.name}{{{self.label}="{text}"}} {number:g}'


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape from a network that is allowed; anybody else learns nothing.

    :raises Http404: if the caller's address is not in `WATCH_METRICS_ALLOW`, or a proxy hides it.
    """
    if not _may_read(request):
        raise Http404
    text = "".join(f"{line}\n" for metric in (*_stock(), *_carts()) for line in metric.lines())
    return HttpResponse(text, content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _may_read(request: HttpRequest) -> bool:
    # Behind a proxy that is not counted as ours everybody would have its address.
    if not api_conf().trusted_proxies and {"X-Forwarded-For", "Forwarded"} & set(request.headers):
        return False
    try:
        address = ip_address(network_address(request))
    except ValueError:
        return False
    return any(address in network for network in conf().networks())


def _carts() -> Iterator[Metric]:
    """Tell how recording goes; nothing while the carts' Redis cannot say."""
    yield Metric(
        "trolley_cart_dead_letters",
        "gauge",
        "Events of carts that could not be recorded.",
        dead_letters.count_dead_letters(),
    )
    try:
        now = carts.recorder_status()
    except CartsUnavailableError:
        return
    is_there = now.seen_at is not None
    yield Metric(
        "trolley_cart_recorder_up", "gauge", "Whether a recorder gave a sign of life within a minute.", is_there
    )
    if is_there:
        yield Metric("trolley_cart_events_waiting", "gauge", "Changes of carts that no record holds yet.", now.waiting)
        yield Metric("trolley_cart_events_oldest_seconds", "gauge", "Age of the oldest of them.", now.oldest_seconds)
    yield Metric(
        "trolley_cart_snapshots_stale_total",
        "counter",
        "Snapshots that met a record as new or newer: repeats, and writes of a recorder that slept.",
        now.stale,
    )


def _stock() -> Iterator[Metric]:
    now = watching.gauges()
    gauges: dict[str, tuple[str, float | None]] = {
        "reservations_live": ("Soft reservations, overdue ones among them.", now.live),
        "reserved_units": ("Units in soft reservations.", now.live_units),
        "reservations_overdue": ("Soft reservations past their end that the sweep has not met.", now.overdue),
        "reservations_pinned": ("Soft reservations kept by a running payment.", now.pinned),
        "reservation_oldest_seconds": ("Age of the oldest soft reservation.", now.oldest_seconds),
        "reservation_overdue_seconds": ("How long the longest overdue one has waited.", now.oldest_overdue_seconds),
        "skus_unavailable": ("SKUs of which nothing is available.", now.unavailable_skus),
        "sweep_age_seconds": ("How long ago the sweep came to its end.", now.swept_seconds),
    }
    for name, (text, value) in gauges.items():
        if value is not None:
            yield Metric(f"trolley_stock_{name}", "gauge", text, value)
    totals = place_totals()
    for name, text, which in (("on_hand", "Units on hand in this location.", 0), ("reserved", "Of them reserved.", 1)):
        if totals:
            samples = {code: units[which] for code, units in totals.items()}
            yield Metric(f"trolley_stock_location_{name}", "gauge", text, label="location", samples=samples)
    yield Metric(
        "trolley_stock_refused_total",
        "counter",
        "Reservations refused for want of this SKU.",
        label="sku",
        samples=watching.refusals(),
    )
    yield Metric(
        "trolley_stock_waited_total",
        "counter",
        "Reservations with this SKU that took longer than 0.1 s.",
        label="sku",
        samples=watching.waits(),
    )
    alerts = dict.fromkeys((section.name for section in SECTIONS), 0) | selectors.open_alerts()
    yield Metric(
        "trolley_alerts_open",
        "gauge",
        "Open alerts by section: stock is SKUs whose counters differ from reservations or ledger.",
        label="section",
        samples=alerts,
    )
