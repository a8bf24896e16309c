"""What needs a member of staff now, and how old undone work is. Asked anew each time the first page is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cart import selectors as cart
from cart import watching as carts
from inventory import watching as stock
from notifications import selectors as notifications
from notifications import watching as mails
from pricing import watching as prices
from shop.checkout import watching as sales
from shop.core.conf import conf
from shop.core.errors import UnavailableError
from shop.health import sweep_limit
from shop.watch import selectors


@dataclass(frozen=True, slots=True)
class Concern:
    """Something for staff to do: what is wrong, what to do, and the list that shows it."""

    text: str
    advice: str
    url: str


@dataclass(frozen=True, slots=True)
class Age:
    """How old undone work is; `seconds` is None where nobody knows, because nobody does the work."""

    name: str
    seconds: float | None
    is_well: bool


def list_concerns(*, may_see: Callable[[str], bool], now: datetime) -> tuple[Concern, ...]:
    """List what needs somebody, of what this member of staff may see (at most six queries)."""
    return tuple(_concerns(may_see, now))


def _concerns(may_see: Callable[[str], bool], now: datetime) -> Iterator[Concern]:
    if may_see("checkout.view_payment"):
        yield from _of_sales(may_see, now)
    if may_see("pricing.view_pricedelta") and (number := prices.count_unusual(now=now)):
        yield Concern(
            ngettext(
                "%(n)d line with an unusual change of price, 24 hours",
                "%(n)d lines with an unusual change of price, 24 hours",
                number,
            )
            % {"n": number},
            _("A price that was typed wrongly, or somebody who plays with prices: look at each."),
            _list("pricing_pricedelta", "unusual=any"),
        )
    if may_see("watch.view_alert"):
        yield from _of_alerts()
    if may_see("inventory.view_reservation") and (number := stock.count_much_renewed()):
        yield Concern(
            ngettext(
                "%(n)d reservation renewed more than 3 times",
                "%(n)d reservations renewed more than 3 times",
                number,
            )
            % {"n": number},
            _("Somebody may keep stock from others: release it, with a reason, if they do."),
            _list("inventory_reservation", "attention=renewed"),
        )
    if may_see("cart.view_deadletter") and (number := carts.count_dead_letters()):
        yield Concern(
            ngettext("%(n)d change of a cart was not recorded", "%(n)d changes of carts were not recorded", number)
            % {"n": number},
            _("Look at the error; the next change of the same cart records all of it."),
            _list("cart_deadletter"),
        )
    if may_see("notifications.view_campaign") and (number := mails.count_paused()):
        yield Concern(
            ngettext("%(n)d campaign is paused", "%(n)d campaigns are paused", number) % {"n": number},
            _("Read why, then resume or end it."),
            _list("notifications_campaign", "state__exact=paused"),
        )


def _of_sales(may_see: Callable[[str], bool], now: datetime) -> Iterator[Concern]:
    waiting = sales.count_waiting(now=now)
    if waiting.reviews:
        yield Concern(
            ngettext("%(n)d payment to review", "%(n)d payments to review", waiting.reviews) % {"n": waiting.reviews},
            _("Amount, currency or account is not what was asked for: attach it to an order, or give it back."),
            _list("checkout_payment", "attention=review"),
        )
    if waiting.undecided:
        yield Concern(
            ngettext(
                "%(n)d payment undecided for 5 minutes", "%(n)d payments undecided for 5 minutes", waiting.undecided
            )
            % {"n": waiting.undecided},
            _("Check with the provider. No order is made, and none is lost, until it answers."),
            _list("checkout_payment", "attention=waiting"),
        )
    if waiting.refunds and may_see("checkout.view_refundrequest"):
        yield Concern(
            ngettext(
                "%(n)d refund waits for a second person", "%(n)d refunds wait for a second person", waiting.refunds
            )
            % {"n": waiting.refunds},
            _("Approve or refuse it."),
            _list("checkout_refundrequest", "state__exact=asked"),
        )
    if waiting.parked and may_see("checkout.view_webhookevent"):
        yield Concern(
            ngettext(
                "%(n)d message of the payment provider could not be placed",
                "%(n)d messages of the payment provider could not be placed",
                waiting.parked,
            )
            % {"n": waiting.parked},
            _("Read the error, then retry or give up."),
            _list("checkout_webhookevent", "state__exact=parked"),
        )


def _of_alerts() -> Iterator[Concern]:
    said = {
        "stock": (_("Counters, ledger and reservations differ"), _("Open the SKU's availability and repair.")),
        "sweep": (_("Overdue reservations are not swept up"), _("Is a worker running? Sales go on meanwhile.")),
        "reservations": (_("Reservations without a live checkout"), _("Release them, or run check_shop --fix.")),
        "codes": (_("Counters of codes or promotions differ from their uses"), _("Run check_shop --fix.")),
        "claims": (_("Codes or promotions are claimed by checkouts that are over"), _("Run check_shop --fix.")),
        "carts": (_("Carts and their records differ"), _("Is the recorder running? Then run check_shop --fix.")),
    }
    for section, number in sorted(selectors.open_alerts().items()):
        text, advice = said.get(section, (section, _("Open the alert: it says what was found.")))
        yield Concern(f"{text} ({number})", advice, _list("watch_alert", f"state=open&section={section}"))


def list_ages(*, now: datetime) -> tuple[Age, ...]:
    """Tell how old undone work is, as `/readyz` does (three queries, one round trip to the carts' Redis)."""
    backlog, gauges = sales.backlog(now=now), stock.gauges()
    limit = conf().ready_lag_seconds
    swept = gauges.swept_seconds
    ages = [
        Age(_("provider's messages"), backlog.webhooks_seconds, backlog.webhooks_seconds <= limit),
        Age(_("open payments"), backlog.payments_seconds, backlog.payments_seconds <= limit),
        Age(_("overdue reservations"), gauges.oldest_overdue_seconds, gauges.oldest_overdue_seconds <= limit),
        Age(_("last sweep"), swept, swept is not None and swept <= sweep_limit()),
    ]
    due = notifications.oldest_due_seconds(now=now)
    ages.append(Age(_("due mails"), due, due <= limit))
    return (_recorder(limit), *ages)


def _recorder(limit: int) -> Age:
    try:
        status = cart.recorder_status()
    except UnavailableError:
        return Age(_("recorder of carts"), None, is_well=False)
    seconds = status.oldest_seconds if status.seen_at else None
    return Age(_("recorder of carts"), seconds, seconds is not None and seconds <= limit)


def _list(model: str, query: str = "") -> str:
    return reverse(f"admin:{model}_changelist") + (f"?{query}" if query else "")
