"""Charts as SVG, drawn here: no script, and each number also stands in a table beside them."""

from notifications.charts.arms import Bar, Chart, Stage, differences, funnel, shares
from notifications.charts.times import (
    CELL,
    Cell,
    Line,
    Lines,
    LooksChart,
    Week,
    delays,
    difference,
    difference_of,
    enrolment,
    over_looks,
    thinned,
    week,
)

__all__ = [
    "CELL",
    "Bar",
    "Cell",
    "Chart",
    "Line",
    "Lines",
    "LooksChart",
    "Stage",
    "Week",
    "delays",
    "difference",
    "difference_of",
    "differences",
    "enrolment",
    "funnel",
    "over_looks",
    "shares",
    "thinned",
    "week",
]
