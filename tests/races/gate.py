"""Processes of a race (`tests.races.process`) that begin together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from django.db import connection

from shop.core.db import rows
from tests.conftest import RunningProcess, RunProcess
from tests.races.process import GATE
from tests.waiting import wait_until

PATIENT = {"INVENTORY_LANE_WAIT_SECONDS": "60"}
"""A slow machine is not the fault that is looked for."""

# Not by `pg_locks`: a lock is granted before the session that waited for it has woken.
AT_THE_GATE = """
SELECT FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


@contextmanager
def at_the_gate(
    run_process: RunProcess, *commands: Sequence[str], careless: str = ""
) -> Iterator[list[RunningProcess]]:
    """Start processes and wait until all are ready; they begin when the block begins, and end with it."""
    env = {**PATIENT, "RACE_CARELESS": careless}
    with ExitStack() as stack:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_lock({GATE})")
            try:
                started = [
                    stack.enter_context(run_process(["python", "-m", "tests.races.process", *command], env=env))
                    for command in commands
                ]
                for process in started:
                    process.wait_for("ready")
            finally:
                cursor.execute(f"SELECT pg_advisory_unlock({GATE})")
        # Who still stands at the gate must not be taken for one who waits for a row.
        wait_until(lambda: not rows(AT_THE_GATE))
        yield started


def told(process: RunningProcess) -> Counter[str]:
    assert process.wait() == 0, process.output()
    return Counter(json.loads(process.output().rpartition("told ")[2]))
