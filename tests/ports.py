"""Ports for servers of a test's own."""

from __future__ import annotations

import itertools
import os

from shop.embedded.ports import is_busy

_FIRST, _EACH, _WORKERS = 10_000, 1_200, 8
"""Below what systems give to outgoing connections; so are the ports 10,000 higher, which Redis Clusters take too."""
BUS = 10_000
_turns = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """Find a port on the loopback that nobody listens on, and nobody else in this session is given.

    Each worker of pytest-xdist has ports of its own: between the choice of a port and the start of the server on it
    another cannot take it.
    """
    worker = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw"))
    first = _FIRST + worker % _WORKERS * _EACH
    ports = (first + turn % _EACH for turn in _turns)
    return next(port for port in ports if not is_busy("127.0.0.1", port) and not is_busy("127.0.0.1", port + BUS))
