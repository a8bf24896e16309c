"""Frozen values of the watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: what it is about, and what is wrong with it."""

    section: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Section:
    """One thing that is checked. `find` is told whether to look at everything, whatever that costs."""

    name: str
    find: Callable[[bool], tuple[Finding, ...]]
    fix: Callable[[Finding], str] | None = None
    """Repairs a finding and says how; raises a refusal if it cannot."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finding and what was done about it."""

    finding: Finding
    is_fixed: bool
    done: str = ""
