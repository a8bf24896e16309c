"""Real processes, started and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shop.embedded.processes import Program, bury, created_at, end, end_stranger, has_ended, start
from tests.embedded.helpers import is_alive
from tests.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]
# Starts a grandchild that cannot be asked to end, tells its number, and sleeps.
PARENT = (
    "import subprocess, sys, time;"
    "p = subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT; while :; do sleep 1; done']);"
    "open(sys.argv[1], 'w').write(str(p.pid));"
    "time.sleep(float(sys.argv[2]))"
)


def grandchild(path: Path) -> int:
    """Read the number of the grandchild once it is there."""
    wait_until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_ending_a_process_ends_the_children_it_leaves(tmp_path: Path) -> None:
    process = start(Program("parent", (sys.executable, "-c", PARENT, str(tmp_path / "pid"), "60")))
    pid = grandchild(tmp_path / "pid")
    assert end(process, grace_seconds=PATIENCE_SECONDS) == -signal.SIGTERM
    wait_until(lambda: not is_alive(pid))


def test_a_process_that_ended_by_itself_leaves_no_children_either(tmp_path: Path) -> None:
    process = start(Program("parent", (sys.executable, "-c", PARENT, str(tmp_path / "pid"), "0")))
    pid = grandchild(tmp_path / "pid")
    wait_until(lambda: has_ended(process))
    assert is_alive(pid)
    assert bury(process) == 0
    wait_until(lambda: not is_alive(pid))


def test_a_process_that_will_not_end_is_killed() -> None:
    process = start(Program("deaf", ("sh", "-c", 'trap "" TERM; while :; do sleep 0.1; done')))
    assert end(process, grace_seconds=0.3) in (-signal.SIGKILL, -signal.SIGTERM)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_process_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from shop.embedded.processes import Program, start;"
        "p = start(Program('sleeper', ('sleep', '60')));"
        "Path(sys.argv[1]).write_text(str(p.pid)); p.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "pid")], cwd=ROOT) as starter:
        pid = grandchild(tmp_path / "pid")
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
        starter.kill()
    wait_until(lambda: not is_alive(pid))


def test_a_leftover_is_ended_only_if_it_is_the_same_process() -> None:
    process = start(Program("sleeper", ("sleep", "60")))
    created = created_at(process.pid)
    assert created is not None
    end_stranger(process.pid, created=created - 1)
    assert not has_ended(process)
    end_stranger(process.pid, created=created, grace_seconds=PATIENCE_SECONDS)
    assert has_ended(process)
    bury(process)
    end_stranger(process.pid, created=created)


def test_a_process_of_one_that_ignores_interrupts_hears_them_all_the_same() -> None:
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(Program("sleeper", ("sleep", "60")))
    finally:
        signal.signal(signal.SIGINT, ignored)
    wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
    assert end(process, stop_signal=signal.SIGINT, grace_seconds=PATIENCE_SECONDS) == -signal.SIGINT


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_can_start_a_process_as_nobody(tmp_path: Path) -> None:
    process = start(Program("who", ("id", "-un"), user="nobody", log=tmp_path / "log"))
    wait_until(lambda: has_ended(process))
    bury(process)
    assert (tmp_path / "log").read_text() == "nobody\n"
