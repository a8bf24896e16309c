"""What the documentation of security points at is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(\w+/test_\w+\.py)::(test_\w+)`", TEXT)
    assert len(named) > 50
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (file := ROOT / "tests" / path).exists() or f"def {name}(" not in file.read_text()
    ]
    assert missing == []


def test_every_file_that_is_named_exists() -> None:
    files = re.findall(r"`((?:adr|cart|inventory|notifications|pricing|shop)/[\w/-]+\.(?:py|md))`", TEXT)
    assert files
    assert [name for name in files if not ((ROOT / name).exists() or (ROOT / "docs" / name).exists())] == []
