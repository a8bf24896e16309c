"""Deploys amid trade: a web process that is asked to end, a migration that meets a table in use. Real processes."""

from __future__ import annotations

import json
import signal
import sys
import threading
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field

import pytest
from django.db import connection

from tests.api.helpers import sell
from tests.conftest import RunProcess, serving
from tests.races.rivals import held_open
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

CLIENTS = 4


@dataclass(slots=True)
class Journal:
    """What one client did: each addition has a key; unknown are those that nobody answered."""

    session: str = ""
    acknowledged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def add(self, url: str, key: str) -> None:
        """Add a unit; 503 and a broken connection leave it unknown."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Cart-Session": self.session}
        body = json.dumps({"sku_id": "MUG", "quantity": 1}).encode()
        named = {name: value for name, value in headers.items() if value}
        request = urllib.request.Request(f"{url}/api/v1/cart/items", body, named, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                self.session = answer.headers.get("Cart-Session") or self.session
        except (OSError, urllib.error.HTTPError):
            self.unknown.append(key)
        else:
            self.acknowledged.append(key)

    def units(self, url: str) -> int:
        """Tell how many units the cart has."""
        request = urllib.request.Request(f"{url}/api/v1/cart/count", headers={"Cart-Session": self.session})
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return int(json.load(answer)["units"])


def test_a_web_process_that_is_asked_to_end_loses_nothing_it_acknowledged() -> None:
    sell("MUG", on_hand=10_000)
    journals = [Journal() for _ in range(CLIENTS)]
    stop = threading.Event()

    def shop(journal: Journal, url: str) -> None:
        while not stop.is_set() and len(journal.acknowledged) < 90:  # below the cap of a line
            journal.add(url, str(uuid.uuid4()))
            if journal.unknown:
                return

    with serving() as (url, process):
        for journal in journals:
            journal.add(url, str(uuid.uuid4()))
        threads = [threading.Thread(target=shop, args=(journal, url)) for journal in journals]
        for thread in threads:
            thread.start()
        wait_until(lambda: min(len(journal.acknowledged) for journal in journals) >= 3, "the clients got no answers")
        process.process.send_signal(signal.SIGTERM)
        process.wait()
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    with serving() as (url, _process):
        for journal in journals:
            sure, at_most = len(journal.acknowledged), len(journal.acknowledged) + len(journal.unknown)
            assert sure <= journal.units(url) <= at_most
            for key in [*journal.unknown, *journal.acknowledged[-2:]]:
                journal.add(url, key)  # the client repeats with the same key: nothing counts twice
            assert journal.units(url) == at_most
            journal.add(url, str(uuid.uuid4()))  # another key would have counted twice
            assert journal.units(url) == at_most + 1


def test_a_migration_that_meets_a_table_in_use_gives_up_soon_and_says_so(run_process: RunProcess) -> None:
    def use() -> None:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")

    # The tests' own patience is taken from it: the command has less than the shop.
    argv = ["env", "-u", "DATABASE_LOCK_TIMEOUT_MS", sys.executable, "manage.py", "migrate"]
    with held_open(use), run_process(argv) as process:
        assert process.wait() == 1
    assert process.output().strip().splitlines()[-1] == (
        "A table is in use: no lock within 2 s, so that nobody waits behind this. Run it again."
    )
