"""From what was counted to what it says: each arm against the hold-out, by intention to treat. Nothing is read here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import accumulate
from typing import Any

from notifications.models import Attribution, Campaign
from notifications.reporting.counting import DELAYS, OPTED_OUT, Counted, Rows
from notifications.reporting.values import Arm, Attributed, Band, Day, Drawn, Hour, Passed, Report
from notifications.rules import bootstrap, breakers, looks, statistics
from notifications.rules.assigning import BUCKETS
from notifications.rules.beliefs import beliefs
from notifications.rules.bootstrap import Group
from notifications.rules.looks import Look
from notifications.rules.statistics import Interval, Lift
from notifications.types import MailEventKind, MessageState, TouchKind
from shop.core.money import Money

_COUNTED = {
    "clicked": TouchKind.CLICK.value,
    "scanned": TouchKind.SCAN.value,
    "restored": TouchKind.RESTORE.value,
    "opened": TouchKind.OPEN.value,
    "machine_opened": TouchKind.MACHINE_OPEN.value,
    "delivered": MailEventKind.DELIVERED.value,
    "bounced": MailEventKind.BOUNCED.value,
    "complained": MailEventKind.COMPLAINED.value,
    "opted_out": OPTED_OUT,
}
"""Fields of an arm, and what its mails are counted by."""
_WENT = (MessageState.SENT.value, MessageState.UNKNOWN.value)
_PASSED = (*_WENT, MessageState.FAILED.value, MessageState.SENDING.value, MessageState.GHOST.value)
"""What passed all gates, whatever the mail server said then: a ghost cannot fail."""
_BANDS = 4


def weigh(campaign: Campaign, counted: Counted) -> Report:
    """Say what a campaign has shown; its variants are prefetched, or one query."""
    variants = list(campaign.variants.all())
    everybody = tuple(variant.pk for variant in variants)
    arms = [_arm("hold-out", everybody, counted, is_holdout=True), _arm("mailed", everybody, counted)]
    control = arms[0]
    arms[1:] = [_compared(arms[1], control)]
    if len(variants) > 1:
        each = [_compared(_arm(variant.key, (variant.pk,), counted), control) for variant in variants]
        arms.extend(_corrected(each))
    split = split_of(campaign, counted)
    taken = _looks(counted, looks.sizes(campaign.planned_n or 0))
    finding, decided_at = looks.judge(split=split, taken=taken, is_harmful=_is_harmful(arms[1]))
    cancelled = Counter[str]()
    for row in counted.states:
        if row["state"] == MessageState.CANCELLED.value:
            cancelled[row["reason"]] += row["n"]
    return Report(
        arms=tuple(arms),
        passed=_passed(arms, counted),
        split_p=split,
        finding=finding,
        decided_at=decided_at,
        looks=taken,
        planned_n=campaign.planned_n or 0,
        control_n=control.ripe,
        currency=counted.currency,
        left_out=counted.left_out,
        days=tuple(_days(counted.days)),
        delays=_delays(counted.delays),
        hours=tuple(Hour(**row) for row in counted.hours),
        bands=_bands(counted),
        skipped=tuple((row["reason"], row["n"]) for row in counted.skipped),
        cancelled=tuple(cancelled.most_common()),
        attributed=_attributed(counted.attributed),
    )


def draw(campaign: Campaign, counted: Counted, report: Report, *, has_margin: bool) -> tuple[Drawn, ...]:
    """Find what chance alone can tell of each arm of a report, in their order; seeded, so that it stays the same."""
    groups: dict[tuple[int, bool], dict[int, Group]] = {}
    for row in counted.spent:
        groups.setdefault((row["variant_id"], row["is_holdout"]), {})[row["place"]] = (
            row["net"],
            row["margin"],
            row["n"],
        )
    control = _groups_of(groups, report.holdout)
    drawn_control = bootstrap.resample(control, seed=~campaign.pk)
    # All who were mailed stand beside the hold-out only where there is one variant: else they are their variants.
    rivals = [arm for arm in report.arms if arm is not report.mailed or len(report.arms) == 2]  # noqa: PLR2004 - a pair
    thought = dict(
        zip(
            (arm.name for arm in rivals),
            beliefs([(arm.ordered, arm.ripe) for arm in rivals], seed=campaign.pk),
            strict=True,
        )
    )
    found = []
    for arm in report.arms:
        belief = thought.get(arm.name) if report.control_n and arm.ripe else None
        if arm.is_holdout:
            found.append(Drawn(belief=belief))
            continue
        more = bootstrap.mean_differences(
            _groups_of(groups, arm), control, seed=campaign.pk, drawn_control=drawn_control
        )
        margin = more[1] if more and has_margin else None
        found.append(
            Drawn(
                earned_more=more[0] if more else None,
                margin=Interval(*(part * arm.ripe for part in (margin.value, margin.low, margin.high)))
                if margin
                else None,
                belief=belief,
            )
        )
    return tuple(found)


def _looks(counted: Counted, sizes: Sequence[int]) -> tuple[Look, ...]:
    """List the looks whose customers have all had their time to order, in order."""
    taken: list[Look] = []
    sums = {True: [0, 0], False: [0, 0]}
    for place, size in enumerate(sizes):
        for row in counted.looks:
            if row["place"] == place:
                sums[row["is_holdout"]][0] += row["ordered"]
                sums[row["is_holdout"]][1] += row["n"]
        (control_hits, control_n), (hits, n) = sums[True], sums[False]
        if control_n < size:
            break
        taken.append(Look(number=place + 1, hits=hits, n=n, control_hits=control_hits, control_n=control_n))
    return tuple(taken)


def split_of(campaign: Campaign, counted: Counted) -> float:
    """Tell how likely it is by chance that customers fell into the arms as they did."""
    counts, weights = [], []
    for variant in campaign.variants.all():
        for is_holdout in (True, False):
            share = campaign.holdout_bp if is_holdout else BUCKETS - campaign.holdout_bp
            if share:
                counts.append(sum(row["enrolled"] for row in _of(counted.arms, (variant.pk,), is_holdout=is_holdout)))
                weights.append(share * variant.weight_bp)
    return statistics.split_p(counts, weights)


def _of(found: Rows, variant_ids: Collection[int], *, is_holdout: bool) -> Iterator[dict[str, Any]]:
    return (row for row in found if row["variant_id"] in variant_ids and row["is_holdout"] is is_holdout)


def _arm(name: str, variant_ids: tuple[int, ...], counted: Counted, *, is_holdout: bool = False) -> Arm:
    mine = list(_of(counted.arms, variant_ids, is_holdout=is_holdout))
    enrolled, ripe, ordered = (sum(row[key] for row in mine) for key in ("enrolled", "ripe", "ordered"))
    events = sum(row["n"] for row in _of(counted.events, variant_ids, is_holdout=is_holdout))
    states: Counter[str] = Counter()
    asked = 0
    for row in _of(counted.states, variant_ids, is_holdout=is_holdout):
        states[row["state"]] += row["n"]
        asked += row["asked"]
    mails: Counter[str] = Counter()
    for row in counted.mails:
        if row["variant_id"] in variant_ids:
            mails[row["kind"]] += row["n"]
    of_mails: dict[str, Any] = {} if is_holdout else {field: mails[kind] for field, kind in _COUNTED.items()}
    return Arm(
        name=name,
        variant_ids=variant_ids,
        is_holdout=is_holdout,
        enrolled=enrolled,
        ripe=ripe,
        ordered=ordered,
        came_again=events - enrolled,
        share=statistics.wilson(ordered, ripe),
        revenues=_monies(mine, "net", keeps_zero=True),
        refunded=_monies(mine, "refunded"),
        code_costs=_monies(mine, "code"),
        states=tuple(sorted(states.items())),
        asked=0 if is_holdout else asked,
        **of_mails,
    )


def _monies(found: Sequence[dict[str, Any]], key: str, *, keeps_zero: bool = False) -> tuple[Money, ...]:
    """Add up by currency; the first one is that with most."""
    sums: Counter[str] = Counter()
    for row in found:
        sums[row["currency"]] += row[key]
    return tuple(Money(minor, currency) for currency, minor in sums.most_common() if minor or keeps_zero)


def _compared(arm: Arm, control: Arm) -> Arm:
    against = statistics.lift(hits=arm.ordered, n=arm.ripe, control_hits=control.ordered, control_n=control.ripe)
    return replace(arm, against_control=against, incremental=against.incremental(arm.ripe) if control.ripe else None)


def _corrected(arms: Sequence[Arm]) -> list[Arm]:
    """Correct the p of several variants for there being several."""
    lifts = [arm.against_control or Lift(Interval(0, -1, 1), 1) for arm in arms]
    ps = statistics.holm([lift.p for lift in lifts])
    return [replace(arm, against_control=replace(lift, p=p)) for arm, lift, p in zip(arms, lifts, ps, strict=True)]


def _passed(arms: Sequence[Arm], counted: Counted) -> tuple[Passed, ...]:
    found: list[Passed] = []
    for arm in arms:
        mine = [
            row for row in _of(counted.states, arm.variant_ids, is_holdout=arm.is_holdout) if row["state"] in _PASSED
        ]
        n, ordered = sum(row["ripe"] for row in mine), sum(row["ordered"] for row in mine)
        against = None
        if not arm.is_holdout:
            against = statistics.lift(hits=ordered, n=n, control_hits=found[0].ordered, control_n=found[0].n)
        found.append(Passed(arm.name, arm.is_holdout, n, ordered, statistics.wilson(ordered, n), against))
    return tuple(found)


def _is_harmful(mailed: Arm) -> bool:
    """Tell whether the readers of all mails until now complained or opted out too often."""
    went = sum(n for state, n in mailed.states if state in _WENT)
    seen = {"all": went, "complained": mailed.complained, "opted_out": mailed.opted_out}
    return bool(breakers.trouble(seen, kinds=breakers.UNWANTED))


def _groups_of(groups: dict[tuple[int, bool], dict[int, Group]], arm: Arm) -> list[Group]:
    sums: dict[int, Group] = {}
    for pk in arm.variant_ids:
        for place, group in groups.get((pk, arm.is_holdout), {}).items():
            sums[place] = tuple(map(sum, zip(sums.get(place, (0, 0, 0)), group, strict=True)))
    return [sums[place] for place in sorted(sums)]


def _days(found: Rows) -> Iterator[Day]:
    by_day: dict[str, dict[bool, dict[str, Any]]] = {}
    for row in found:
        by_day.setdefault(row["day"], {})[row["is_holdout"]] = row
    held = everybody = 0
    sums = {True: (0, 0), False: (0, 0)}
    for day, parts in by_day.items():
        for is_holdout, row in parts.items():
            everybody += row["found"]
            held += row["found"] if is_holdout else 0
            ordered, n = sums[is_holdout]
            sums[is_holdout] = (ordered + row["ordered"], n + row["n"])
        yield Day(date.fromisoformat(day), held, everybody, control=sums[True], mailed=sums[False])


def _delays(found: Rows) -> tuple[tuple[int, int], ...]:
    counts = Counter({(row["part"], row["is_holdout"]): row["n"] for row in found})
    held = accumulate(counts[part, True] for part in range(DELAYS))
    mailed = accumulate(counts[part, False] for part in range(DELAYS))
    return tuple(zip(held, mailed, strict=True)) if found else ()


def _bands(counted: Counted) -> tuple[Band, ...]:
    bands = []
    for place in range(_BANDS):
        mine = {row["is_holdout"]: row for row in counted.bands if row["band"] == place}
        if not mine:
            continue
        least = next(iter(mine.values()))["least"]
        control, mailed = (
            (mine[side]["ordered"], mine[side]["n"]) if side in mine else (0, 0) for side in (True, False)
        )
        bands.append(Band(None if least is None else Money(least, counted.currency), control, mailed))
    return tuple(bands)


def _attributed(found: Rows) -> tuple[Attributed, ...]:
    """Add up by model, each of them, in the order of their list; the currency with most comes first."""
    by_model: dict[str, Rows] = {}
    for row in found:
        by_model.setdefault(row["model"], []).append(row)
    return tuple(
        Attributed(
            model=str(label),
            orders=sum(row["orders"] for row in by_model.get(model, ())),
            revenues=tuple(Money(row["net"], row["currency"]) for row in by_model.get(model, ())),
            refunded=tuple(
                Money(row["refunded"], row["currency"]) for row in by_model.get(model, ()) if row["refunded"]
            ),
        )
        for model, label in Attribution.MODELS
    )
