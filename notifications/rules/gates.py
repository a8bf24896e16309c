"""Who may get a reminder: one function for detection, sending, preview and “Explain”."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - not a secret
    WAIT = "wait"
    """Ask again later; the message may grow too late meanwhile."""
    MOVE = "move"
    """Ask again later; the time in which it may go moves along."""
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one customer, cart and campaign. `None`: not known at this stage, no judgment."""

    now: datetime
    campaign_state: str | None = None
    late_after: datetime | None = None
    is_event_open: bool | None = None
    record_state: str | None = None
    units: int | None = None
    is_content_as_enrolled: bool | None = None
    has_newer_live_cart: bool | None = None
    has_ordered_since: bool | None = None
    """By customer or by mail address."""
    has_live_checkout: bool | None = None
    is_staff: bool | None = None
    is_active: bool | None = None
    has_address: bool | None = None
    is_verified: bool | None = None
    is_suppressed: bool | None = None
    is_opted_out: bool | None = None
    has_basis: bool | None = None
    """The consent policy of the customer's country allows it."""
    is_event_new: bool | None = None
    has_open_event: bool | None = None
    is_cooling_down: bool | None = None
    has_reached_cap: bool | None = None
    loud_at: datetime | None = None
    """When the customer's quiet hours end; not in the future: there are none."""
    sellable_lines: int | None = None
    """Lines that were not bought since, are sold, and are there."""
    is_large_enough: bool | None = None
    is_same_currency: bool | None = None


@dataclass(frozen=True, slots=True)
class Judgment:
    """What one gate says, and its reason where it does not pass."""

    gate: str
    outcome: Outcome
    reason: str = ""


PASSED = Judgment("", Outcome.PASS)


def evaluate(facts: Facts) -> Judgment:
    """Judge by all gates in their order: the first that does not pass, or `PASSED`."""
    return next((said for said in explain(facts) if said.outcome is not Outcome.PASS), PASSED)


def explain(facts: Facts) -> tuple[Judgment, ...]:
    """Judge by each gate whose facts are known, in order."""
    known = {field.name for field in fields(facts) if getattr(facts, field.name) is not None}
    return tuple(
        Judgment(gate, outcome if fails else Outcome.PASS, reason if fails else "")
        for gate, needs, outcome, reason, fails in _gates(facts)
        if needs in known
    )


def _gates(f: Facts) -> tuple[tuple[str, str, Outcome, str, bool], ...]:
    """List the gates: name, the fact it needs, what follows if it fails, the reason, whether it fails."""
    wait, move, cancel = Outcome.WAIT, Outcome.MOVE, Outcome.CANCEL
    late = f.late_after is not None and f.now > f.late_after
    return (
        ("campaign", "campaign_state", cancel, "campaign_ended", f.campaign_state == "ended"),
        ("in_time", "late_after", cancel, "late", late),
        ("paused", "campaign_state", wait, "campaign_paused", f.campaign_state not in ("running", "ended")),
        ("event", "is_event_open", cancel, "event_closed", not f.is_event_open),
        ("record", "record_state", cancel, "cart_gone", f.record_state != "active"),
        ("units", "units", cancel, "cart_empty", not f.units),
        ("content", "is_content_as_enrolled", cancel, "cart_changed", not f.is_content_as_enrolled),
        ("live_cart", "has_newer_live_cart", cancel, "cart_changed", bool(f.has_newer_live_cart)),
        ("order", "has_ordered_since", cancel, "order_since", bool(f.has_ordered_since)),
        ("checkout", "has_live_checkout", move, "checkout_open", bool(f.has_live_checkout)),
        ("staff", "is_staff", cancel, "staff", bool(f.is_staff)),
        ("customer", "is_active", cancel, "customer_inactive", not f.is_active),
        ("address", "has_address", cancel, "no_address", not f.has_address),
        ("verified", "is_verified", cancel, "address_unverified", not f.is_verified),
        ("suppression", "is_suppressed", cancel, "suppressed", bool(f.is_suppressed)),
        ("preference", "is_opted_out", cancel, "opted_out", bool(f.is_opted_out)),
        ("consent", "has_basis", cancel, "no_consent", not f.has_basis),
        ("episode", "is_event_new", cancel, "seen_before", not f.is_event_new),
        ("one_event", "has_open_event", cancel, "event_open", bool(f.has_open_event)),
        ("cooldown", "is_cooling_down", cancel, "cooldown", bool(f.is_cooling_down)),
        ("cap", "has_reached_cap", cancel, "frequency_cap", bool(f.has_reached_cap)),
        ("quiet", "loud_at", move, "quiet_hours", f.loud_at is not None and f.loud_at > f.now),
        ("lines", "sellable_lines", cancel, "nothing_sellable", not f.sellable_lines),
        ("value", "is_large_enough", cancel, "below_minimum", not f.is_large_enough),
        ("currency", "is_same_currency", cancel, "currency_changed", not f.is_same_currency),
    )
