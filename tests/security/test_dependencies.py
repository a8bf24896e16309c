"""What is installed is what was chosen, to the last byte: direct dependencies are locked, and locks have hashes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", re.MULTILINE)


def _chosen(name: str) -> set[tuple[str, str]]:
    return set(PINS.findall((ROOT / name).read_text()))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_direct_dependency_is_pinned_exactly(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and line[0] not in "#-"]
    assert [line for line in lines if not PINS.match(line)] == []


def test_every_direct_dependency_is_locked_at_its_version() -> None:
    production, everything = _chosen("requirements.txt"), _chosen("requirements-dev.txt")
    assert production - _chosen("requirements.lock") == set()
    assert (production | everything) - _chosen("requirements-dev.lock") == set()


def test_production_is_tested_with_what_it_installs() -> None:
    assert _chosen("requirements.lock") - _chosen("requirements-dev.lock") == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE))
    assert len(blocks) > 50
    assert [
        block for block in blocks if not re.fullmatch(r"[^\n]+(?: \\\n +--hash=sha256:[0-9a-f]{64})+\n?", block)
    ] == []


def test_setup_installs_nothing_without_its_hash() -> None:
    recipe = (ROOT / "Makefile").read_text()
    assert len(re.findall(r"pip install", recipe)) == len(re.findall(r"pip install .*--require-hashes", recipe)) == 2
