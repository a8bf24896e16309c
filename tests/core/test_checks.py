"""What is said of the database's server."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from shop.core import checks


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        *((version, ["core.W001"]) for version in (150017, 160013, 170009, 180003)),
        (140023, ["core.E001"]),
        *((version, []) for version in (150018, 160014, 170010, 180004, 190000)),
    ],
)
def test_an_old_database_is_refused_and_one_that_may_be_unsafe_named(
    monkeypatch: pytest.MonkeyPatch, version: int, faults: list[str]
) -> None:
    monkeypatch.setattr(checks, "server_version", lambda _: version)

    found = run_checks(tags=["database"], databases=["default"])

    assert [fault.id for fault in found if str(fault.id).startswith("core.")] == faults


@pytest.mark.django_db
def test_the_server_itself_is_asked() -> None:
    found = run_checks(tags=["database"], databases=["default"])
    assert all("PostgreSQL" in fault.msg for fault in found)
