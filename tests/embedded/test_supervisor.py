"""What keeps the processes of the demo together."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.embedded import supervisor
from shop.embedded.processes import Program, bury, created_at, has_ended, start
from shop.embedded.supervisor import CannotRunError, Household, StoppedError
from tests.embedded.helpers import is_alive
from tests.embedded.test_processes import PARENT, grandchild
from tests.waiting import wait_until

SLEEPER = Program("sleeper", ("sleep", "60"), grace_seconds=5)


@pytest.fixture
def household(tmp_path: Path) -> Iterator[Household]:
    """Give a household, all of which is ended after the test."""
    household = Household(tmp_path / "processes.json", tmp_path)
    yield household
    hurry = threading.Event()
    hurry.set()
    supervisor.end_all(household, hurry=hurry)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)


def numbers(household: Household) -> list[int]:
    """Give the numbers of the present processes."""
    return [child.process.pid for child in household.children]


@pytest.mark.usefixtures("_short_pauses")
def test_what_died_is_started_again_and_the_others_are_left_alone(household: Household) -> None:
    supervisor.begin(household, SLEEPER)
    supervisor.begin(household, SLEEPER)
    first, second = numbers(household)
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        supervisor.tend(household)
        return numbers(household)[0] != first

    wait_until(is_back)
    assert numbers(household)[1] == second
    assert all(is_alive(pid) for pid in numbers(household))


@pytest.mark.usefixtures("_short_pauses")
def test_what_cannot_run_is_given_up_with_its_name_and_exit_code(household: Household) -> None:
    child = supervisor.begin(household, Program("broken", ("sh", "-c", "exit 7")))
    with pytest.raises(CannotRunError, match=r"broken ends each time it is started \(exit code 7\)"):
        wait_until(lambda: supervisor.tend(household))
    assert child.failures == supervisor.QUICK_FAILURES


def test_ending_all_ends_every_process_also_when_one_had_died_before(household: Household, tmp_path: Path) -> None:
    supervisor.begin(household, SLEEPER)
    supervisor.begin(household, Program("parent", (sys.executable, "-c", PARENT, str(tmp_path / "pid"), "60")))
    orphan = grandchild(tmp_path / "pid")
    pids = numbers(household)
    os.kill(pids[1], signal.SIGKILL)
    wait_until(lambda: has_ended(household.children[1].process))
    supervisor.end_all(household, hurry=threading.Event())
    wait_until(lambda: not any(is_alive(pid) for pid in (*pids, orphan)))
    assert not household.register.exists()


def test_servers_end_after_the_programs_that_use_them(household: Household, tmp_path: Path) -> None:
    log = tmp_path / "order"
    tell = 'trap "echo {0} >> order; exit" TERM; touch {0}; while :; do sleep 0.02; done'
    for stage, name in enumerate(("server", "worker", "web")):
        supervisor.begin(household, Program(name, ("sh", "-c", tell.format(name)), stage=stage))
        wait_until((tmp_path / name).exists)
    supervisor.end_all(household, hurry=threading.Event())
    assert log.read_text().split() == ["web", "worker", "server"]


def test_a_step_that_fails_stops_the_start(household: Household) -> None:
    with pytest.raises(CannotRunError, match="The step migrate failed with exit code 3"):
        supervisor.run_step(household, Program("migrate", ("sh", "-c", "exit 3")), threading.Event())
    assert household.children == []


def test_a_step_can_be_stopped(household: Household) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        supervisor.run_step(household, SLEEPER, stop)
    supervisor.end_all(household, hurry=threading.Event())


def test_the_next_run_ends_what_a_killed_one_left(household: Household) -> None:
    supervisor.begin(household, SLEEPER)
    child = household.children[0]
    supervisor.clear_leftovers(household.register)
    assert has_ended(child.process)
    assert not household.register.exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"pid": 1}]'])
def test_a_damaged_register_stops_no_start(tmp_path: Path, text: str) -> None:
    register = tmp_path / "processes.json"
    register.write_text(text)
    supervisor.clear_leftovers(register)
    assert not register.exists()


def test_a_number_that_now_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    bystander = start(SLEEPER)
    created = created_at(bystander.pid)
    assert created is not None
    register = tmp_path / "processes.json"
    register.write_text(f'[{{"pid": {bystander.pid}, "created": {created - 100}, "signal": 15}}]')
    supervisor.clear_leftovers(register)
    assert is_alive(bystander.pid)
    bystander.kill()
    bury(bystander)


def test_what_a_program_says_is_shown_under_its_name(household: Household, capfd: pytest.CaptureFixture[str]) -> None:
    supervisor.run_step(household, Program("talker", ("sh", "-c", "echo hello; echo there >&2")), threading.Event())
    shown = ""

    def is_shown() -> bool:
        nonlocal shown
        shown += capfd.readouterr().out
        return "there" in shown

    wait_until(is_shown)
    assert "  talker | hello\n  talker | there\n" in shown
