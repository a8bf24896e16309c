"""What is checked, app by app. Each section asks an app's reads and repairs through its services."""

from __future__ import annotations

from cart import selectors as carts
from cart import services as cart
from cart.errors import CartsUnavailableError
from inventory import places, watching
from inventory import selectors as stock
from inventory import services as inventory
from pricing import services as pricing
from pricing import watching as codes
from shop.checkout import selectors as checkout
from shop.core import clock
from shop.core.conf import conf
from shop.watch.types import Finding, Section

GHOST_SECONDS = 60
"""A reservation may be older than its checkout's row by the moment between two commits, not by more."""


def _find_drift(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    return (
        tuple(
            Finding(
                "stock",
                drift.sku_id,
                f"on hand {drift.on_hand}, ledger {drift.booked}; reserved {drift.reserved}, reservations {drift.live}"
                + (f"; {drift.strays} lines marked wrongly" if drift.strays else ""),
            )
            for drift in watching.list_drifts(is_whole=is_whole)
        )
        + tuple(
            Finding(
                "stock",
                place.sku_id,
                f"in {place.code}: on hand {place.on_hand}, ledger {place.booked};"
                f" reserved {place.reserved}, reservations {place.live}",
            )
            for place in places.list_place_drifts(is_whole=is_whole)
        )
        + tuple(
            Finding("stock", lacking.sku_id, f"{lacking.units} reserved units come from no location")
            for lacking in places.list_unplaced()
        )
    )


def _fix_drift(finding: Finding) -> str:
    found = inventory.repair_drift(sku_id=finding.subject, by=None, note="check_shop")
    return "counters set to ledger and reservations" if found else "nothing differs any more"


def _find_overdue(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    seconds = stock.oldest_overdue_seconds()
    if seconds <= conf().ready_lag_seconds:
        return ()
    return (Finding("sweep", "reservations", f"the oldest overdue reservation has waited {seconds:.0f} s"),)


def _fix_overdue(finding: Finding) -> str:
    return f"{inventory.sweep()} reservations swept up"


def _find_ghosts(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    held = watching.list_live_owners(older_than_seconds=GHOST_SECONDS)
    live = checkout.list_live_ids(checkout_ids=[owner for _, owner in held])
    return tuple(
        Finding("reservations", reservation_id, f"live, but its checkout {owner} is not")
        for reservation_id, owner in held
        if owner not in live
    )


def _fix_ghost(finding: Finding) -> str:
    is_released = inventory.release(reservation_id=finding.subject, cause="without_checkout")
    return "released" if is_released else "over already"


def _find_disagreements(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    try:
        found = carts.list_disagreements(is_whole=is_whole, now=clock.now())
    except CartsUnavailableError:
        return (Finding("carts", "redis", "the carts' server cannot answer: nothing was compared"),)
    return tuple(Finding("carts", one.name, one.detail) for one in found)


def _fix_disagreement(finding: Finding) -> str:
    return cart.repair_record(name=finding.subject, now=clock.now())


def _find_code_drift(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    return tuple(
        Finding("codes", f"{drift.kind} {drift.subject_id}", f"{drift.label}: counted {drift.used}, used {drift.live}")
        for drift in codes.list_drifts()
    )


def _fix_code_drift(finding: Finding) -> str:
    kind, _, subject = finding.subject.partition(" ")
    return f"counter set to {pricing.repair_counter(**{f'{kind}_id': int(subject)})}"


def _find_lost_claims(is_whole: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one argument, as sections have it
    held = codes.list_open_claims(older_than_seconds=GHOST_SECONDS)
    live = checkout.list_live_ids(checkout_ids=held)
    return tuple(
        Finding("claims", checkout_id, "a code or a promotion is claimed, but the checkout is not live")
        for checkout_id in held
        if checkout_id not in live
    )


def _fix_lost_claim(finding: Finding) -> str:
    return f"{pricing.release_claims(checkout_id=finding.subject)} uses given back"


SECTIONS: tuple[Section, ...] = (
    Section("stock", _find_drift, _fix_drift),
    Section("sweep", _find_overdue, _fix_overdue),
    Section("reservations", _find_ghosts, _fix_ghost),
    Section("codes", _find_code_drift, _fix_code_drift),
    Section("claims", _find_lost_claims, _fix_lost_claim),
    Section("carts", _find_disagreements, _fix_disagreement),
)
