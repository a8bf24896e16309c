"""Leaves a provider alone that does not answer, so that a frozen one costs a few time-outs and not one a shopper."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

FAILURES = 3
"""So many calls in a row without an answer open the breaker."""
BREAK_SECONDS = 15.0
"""How long nobody asks then; afterwards one caller tries, the others wait for what comes of it."""


@dataclass(slots=True)
class Breaker:
    """Counts, in one process, calls in a row that brought no answer."""

    failures: int = 0
    closed_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_ask(self) -> bool:
        """Tell whether the caller may ask; whoever is the first after a break tries for all."""
        with self.lock:
            if self.failures < FAILURES:
                return True
            if time.monotonic() < self.closed_until:
                return False
            self.closed_until = time.monotonic() + BREAK_SECONDS
            return True

    def failed(self) -> None:
        """Note that no answer came."""
        with self.lock:
            self.failures += 1
            self.closed_until = time.monotonic() + BREAK_SECONDS

    def answered(self) -> None:
        """Note that an answer came, whatever it said."""
        with self.lock:
            self.failures = 0
