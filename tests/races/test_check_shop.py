"""`check_shop --fix` meets somebody who has the stock locked, or itself: it says so, and nothing is repaired twice."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import connection

from inventory import services as inventory
from inventory.models import StockEntry, StockItem
from inventory.services import repairing
from tests.inventory.helpers import assert_balanced, counters, stock
from tests.races.rivals import be_patient, held_open, running, wait_until_blocked
from tests.watch.test_checks import run

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _wrong() -> None:
    stock(MUG=5)
    StockItem.objects.filter(pk="MUG").update(reserved=2)


def repairs() -> int:
    return StockEntry.objects.filter(kind="repair").count()


def test_stock_that_somebody_keeps_locked_is_said_to_be_busy_and_repaired_by_the_next_run() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 100")
    with held_open(lambda: StockItem.objects.select_for_update().get(pk="MUG")):
        text, code = run("stock", "--fix")

    assert code == 1
    assert "WRONG  stock  MUG" in text
    assert "— busy: " in text
    assert (counters(), repairs()) == ({"MUG": (5, 2)}, 0)
    assert run("stock", "--fix")[1] == 0
    assert (counters(), repairs()) == ({"MUG": (5, 0)}, 1)
    assert_balanced()


def second_run_amid_the_first() -> None:
    """Run it while another run has repaired and not yet committed."""

    def run_patiently() -> tuple[str, int]:
        be_patient()
        return run("stock", "--fix")

    with ExitStack() as later, held_open(lambda: inventory.repair_drift(sku_id="MUG", by=None)):
        second = later.enter_context(running(run_patiently))
        wait_until_blocked(unless=second)
    assert second.result()[1] == 0


def test_of_two_runs_at_once_one_repairs() -> None:
    second_run_amid_the_first()

    assert (counters(), repairs()) == ({"MUG": (5, 0)}, 1)
    assert_balanced()


def test_twin_that_takes_no_lock_before_it_looks_repairs_what_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairing, "LOCK", repairing.LOCK.replace("FOR UPDATE", ""))

    second_run_amid_the_first()

    assert repairs() == 2
