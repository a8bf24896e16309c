"""What a report says, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from notifications.rules.beliefs import Belief
from notifications.rules.looks import Finding, Look
from notifications.rules.statistics import Interval, Lift
from shop.core.money import Money


@dataclass(frozen=True, slots=True)
class Arm:
    """One row of the report."""

    name: str
    variant_ids: tuple[int, ...]
    is_holdout: bool
    enrolled: int
    ripe: int
    """Customers whose window is over: only they are compared."""
    ordered: int
    came_again: int
    """Carts that these customers left after the one that counts."""
    share: Interval
    revenues: tuple[Money, ...]
    """One a currency, without what was refunded."""
    refunded: tuple[Money, ...] = ()
    code_costs: tuple[Money, ...] = ()
    """What discount codes took off their orders, whoever issued them."""
    against_control: Lift | None = None
    incremental: Interval | None = None
    """How many more ordered than would have without a mail."""
    states: tuple[tuple[str, int], ...] = ()
    clicked: int = 0
    scanned: int = 0
    """Mails whose link was followed by a program that says so."""
    restored: int = 0
    delivered: int = 0
    """Mails of which the provider told that they arrived; without a provider nobody tells."""
    bounced: int = 0
    complained: int = 0
    asked: int = 0
    """Mails that told when they were opened: only of these opens are known."""
    opened: int = 0
    machine_opened: int = 0
    opted_out: int = 0
    """Mails whose readers opted out by them."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Carts of an arm whose first mail's time came and whose gates all let it pass: mails beside ghosts."""

    name: str
    is_holdout: bool
    n: int
    """Those whose customers have had their time to order."""
    ordered: int
    share: Interval
    against_ghosts: Lift | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What of an arm is found by drawing: it takes a tenth of a second, so that only the report's page asks for it."""

    earned_more: Interval | None = None
    """How much more a customer spent than one of the hold-out, in minor units of the report's currency."""
    margin: Interval | None = None
    """How much more margin all its customers brought than they would have without mails and codes."""
    belief: Belief | None = None


@dataclass(frozen=True, slots=True)
class Attributed:
    """What a model gives to the mails of a campaign. Not what they have brought."""

    model: str
    orders: int
    revenues: tuple[Money, ...]
    """Without what was refunded; one a currency."""
    refunded: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """Customers who were found until the end of a day, all days before included."""

    day: date
    held: int
    """Of them those in the hold-out."""
    found: int
    control: tuple[int, int]
    """Hold-out: customers who ordered, and customers whose time is over."""
    mailed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Band:
    """Customers with carts of about one value."""

    least: Money | None
    """From which value on; None: the smallest carts."""
    control: tuple[int, int]
    """Hold-out: customers who ordered, and customers whose time is over."""
    mailed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hour:
    """Mails that were sent within one hour of one weekday, by the shop's clock."""

    weekday: int
    """1: Monday."""
    hour: int
    sent: int
    ripe: int
    """Those whose customers have had their time to order."""
    ordered: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a campaign has shown until now."""

    arms: tuple[Arm, ...]
    """The hold-out first, then all who may be mailed together, then each variant."""
    passed: tuple[Passed, ...]
    """The same arms, of those alone whose first mail passed. It compares only arms whose mails go at the same time."""
    split_p: float
    finding: Finding
    decided_at: Look | None
    """The look that the finding rests on; what came after it changes nothing."""
    looks: tuple[Look, ...]
    """Those taken until now."""
    planned_n: int
    control_n: int
    currency: str
    """Of `Drawn` and `bands`: the one that the shop reports in, else that in which most was sold."""
    left_out: int
    """Customers whose currency has no rate: they count, their money does not."""
    days: tuple[Day, ...]
    """Each day on which customers were found, in order."""
    delays: tuple[tuple[int, int], ...]
    """Parts of the window after the cart was found, in order: orders in the hold-out, and of mailed customers."""
    hours: tuple[Hour, ...]
    bands: tuple[Band, ...]
    skipped: tuple[tuple[str, int], ...]
    """Carts left alone in the last 30 days, by reason."""
    cancelled: tuple[tuple[str, int], ...]
    """Messages cancelled, by reason."""
    attributed: tuple[Attributed, ...]

    @property
    def holdout(self) -> Arm:
        """The hold-out."""
        return self.arms[0]

    @property
    def mailed(self) -> Arm:
        """All who may be mailed."""
        return self.arms[1]
