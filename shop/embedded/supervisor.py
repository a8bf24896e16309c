"""Keep a household of processes: start them, show what they say, start again what dies, end all in good order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shop.embedded.processes import (
    Program,
    ask_to_end,
    bury,
    created_at,
    end_stranger,
    has_ended,
    last_words,
    start,
    wait_until_ended,
)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
QUICK_FAILURES = 5
"""So many ends in a row, each soon after the start, and the program is taken to be unable to run."""
HEALTHY_SECONDS = 20
"""Who ran so long had started properly: an end after that is counted from one."""


class CannotRunError(Exception):
    """A program ends each time soon after its start, or a step failed."""


class StoppedError(Exception):
    """Somebody asked for the end while a step was running."""


@dataclass(slots=True)
class Child:
    """One program and its present process."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    due: float | None = None
    """When it is to be started again; `None` while it runs."""


@dataclass(slots=True)
class Household:
    """All that was started, and where it is written down for a later run to clear away."""

    register: Path
    cwd: Path
    children: list[Child] = field(default_factory=list)


def begin(household: Household, program: Program) -> Child:
    """Start a program and keep it from now on."""
    child = Child(program, _spawn(household, program), time.monotonic())
    household.children.append(child)
    _write_down(household)
    return child


def run_step(household: Household, program: Program, stop: threading.Event) -> None:
    """Run a program to its end.

    :raises CannotRunError: if it fails.
    :raises StoppedError: if the end of all is asked for meanwhile.
    """
    wait_for_step(household, begin(household, program), stop)


def wait_for_step(household: Household, child: Child, stop: threading.Event) -> None:
    """Wait for the end of a program that was begun and is a step, not a service. Raises as `run_step`."""
    while not has_ended(child.process):
        if stop.wait(0.05):
            raise StoppedError
    code = bury(child.process)
    household.children.remove(child)
    _write_down(household)
    if code:
        msg = f"The step {child.program.name} failed with exit code {code}; what it said stands above."
        raise CannotRunError(msg)


def tend(household: Household) -> None:
    """Start again what has ended, each after a pause that doubles with every quick end.

    :raises CannotRunError: if one has ended too often in a row, each time soon after its start.
    """
    now = time.monotonic()
    for child in household.children:
        if child.due is None and has_ended(child.process):
            _after_the_end(child, now)
        elif child.due is not None and child.due <= now:
            child.process = _spawn(household, child.program)
            child.started, child.due = now, None
            _write_down(household)


def end_all(household: Household, *, hurry: threading.Event) -> None:
    """End every program, the latest stage first, those of a stage together; once `hurry` is set, without asking."""
    for stage in sorted({child.program.stage for child in household.children}, reverse=True):
        ending = [child for child in household.children if child.program.stage == stage]
        for child in ending:
            ask_to_end(child.process, child.program.stop_signal)
        since = time.monotonic()
        for child in ending:
            until = since + child.program.grace_seconds
            while not wait_until_ended(child.process, until=min(until, time.monotonic() + 0.1)):
                if hurry.is_set() or time.monotonic() >= until:
                    break
            bury(child.process)
    household.children.clear()
    household.register.unlink(missing_ok=True)


def clear_leftovers(register: Path) -> None:
    """End what a run that was killed has left running, if anything; the caller holds the lock."""
    with suppress(FileNotFoundError, ValueError, TypeError, KeyError):
        for entry in reversed(json.loads(register.read_text())):
            end_stranger(entry["pid"], created=entry["created"], stop_signal=entry["signal"])
    register.unlink(missing_ok=True)


def say(name: str, text: str) -> None:
    """Print one line under a name; a terminal that has gone away is no reason to fail."""
    with suppress(OSError, ValueError):
        sys.stdout.write(f"{name:>8} | {text}\n")
        sys.stdout.flush()


def _after_the_end(child: Child, now: float) -> None:
    code = bury(child.process)
    is_quick = now - child.started < HEALTHY_SECONDS
    child.failures = child.failures + 1 if is_quick else 1
    if child.failures >= QUICK_FAILURES:
        msg = f"{child.program.name} ends each time it is started (exit code {code}): {last_words(child.program)}"
        raise CannotRunError(msg)
    pause = min(FIRST_PAUSE_SECONDS * 2 ** (child.failures - 1), LONGEST_PAUSE_SECONDS)
    say(child.program.name, f"ended with exit code {code}; starts again in {pause:g} s.")
    child.due = now + pause


def _spawn(household: Household, program: Program) -> subprocess.Popen[bytes]:
    process = start(program, cwd=household.cwd)
    if process.stdout is not None:
        threading.Thread(target=_pass_on, args=(program.name, process), daemon=True).start()
    return process


def _pass_on(name: str, process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError, ValueError):  # the pipe is closed when the process is buried
        for line in process.stdout or ():
            say(name, line.decode(errors="replace").rstrip())


def _write_down(household: Household) -> None:
    entries = [
        {"pid": child.process.pid, "created": created, "signal": int(child.program.stop_signal)}
        for child in household.children
        if child.due is None and (created := created_at(child.process.pid)) is not None
    ]
    draft = household.register.with_suffix(".draft")
    draft.write_text(json.dumps(entries))
    draft.replace(household.register)
