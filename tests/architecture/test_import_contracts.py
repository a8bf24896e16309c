"""Each import contract sees the violation that it is there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shop", "cart", "pricing", "inventory", "notifications")
VIOLATIONS = {
    "apps": ("pricing/rules.py", "import inventory.types"),
    "inside": ("pricing/selectors.py", "import pricing.services"),
    "cart": ("shop/checkout/selectors/orders.py", "import cart.store"),
    "pricing": ("shop/checkout/selectors/orders.py", "import pricing.models"),
    "inventory": ("cart/selectors.py", "import inventory.models"),
    "notifications": ("shop/urls.py", "import notifications.models"),
    "checkout": ("notifications/selectors.py", "import shop.checkout.models"),
    "catalog": ("pricing/selectors.py", "import shop.catalog.models"),
    "pure": ("inventory/rules.py", "import django"),
    "embedded": ("shop/embedded/servers.py", "import shop.core.clock"),
}


def contracts() -> list[str]:
    """Give the ids of the contracts in pyproject.toml."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["id"] for contract in configuration["tool"]["importlinter"]["contracts"]]


def test_every_contract_has_a_violation_below() -> None:
    assert set(contracts()) == set(VIOLATIONS)


@pytest.mark.parametrize("contract", sorted(VIOLATIONS))
def test_a_contract_sees_its_violation(contract: str, tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda _directory, names: [name for name in names if "." in name and not name.endswith(".py")],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path, line = VIOLATIONS[contract]
    with (tmp_path / path).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint(tmp_path, contract)
    assert done.returncode == 1
    importer = path.removesuffix(".py").replace("/", ".")
    assert f"{importer} -> {line.removeprefix('import ')}" in done.stdout


def lint(directory: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Check one contract of the copy."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", "--contract", contract],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
