"""Waiting for what has to come: for as long as the slowest machine may take, and no longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120
"""Nobody waits that long for what comes; a busy machine that stands still for some seconds fails no test."""
OF_REDIS = f"socket_timeout={PATIENCE_SECONDS}&socket_connect_timeout={PATIENCE_SECONDS}"
"""The same, in the URL of a server that answers; one that does not is asked with the shop's own patience."""


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until the condition holds.

    :raises AssertionError: if it still does not when patience is at its end.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, what or f"waited {PATIENCE_SECONDS} s in vain"
        time.sleep(0.02)
