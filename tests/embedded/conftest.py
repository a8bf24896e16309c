"""A place for servers that run as somebody else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a directory with a short path that the servers' user may pass.

    Not one of pytest's: whenever a session begins, it closes the directory of them all to others.
    """
    with tempfile.TemporaryDirectory(prefix="trolley-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
