"""Start and end real processes: each in a group of its own, none outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Program:
    """What to run."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of the starter."""
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 15
    """How long it may take to end by itself before it is killed."""
    user: str = "-"
    """Who it runs as; `-` is whoever starts it."""
    log: Path | None = None
    """Where its output goes; `None`: to the starter, through a pipe."""
    stage: int = 1
    """Stage 0 is started first and ended last."""


def start(program: Program, *, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that Ctrl-C reaches only the starter, who ends all in good order."""
    output: IO[bytes] | int = subprocess.PIPE if program.log is None else program.log.open("ab")
    try:
        return subprocess.Popen(
            launched(program.argv, ending=program.stop_signal, user=program.user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.env},
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        if not isinstance(output, int):
            output.close()


def launched(argv: Sequence[str], *, ending: int = signal.SIGTERM, user: str = "-") -> list[str]:
    """Give the command line that runs `argv` tied to this process: when this one dies, that one gets the signal."""
    return [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(int(ending)), user, *argv]


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Say whether the process has ended, leaving its number taken so that its group can still be named safely."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody else has buried it
        return True


def bury(process: subprocess.Popen[bytes]) -> int:
    """Kill what is left of the group of a process, take its exit code and return it."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return code


def ask_to_end(process: subprocess.Popen[bytes], stop_signal: int) -> None:
    """Send the signal to the process alone: it knows best how to end its own children."""
    if not has_ended(process):
        with suppress(ProcessLookupError):
            process.send_signal(stop_signal)


def wait_until_ended(process: subprocess.Popen[bytes], *, until: float) -> bool:
    """Wait for the end, at most until the monotonic time; say whether it came."""
    while not has_ended(process):
        if time.monotonic() >= until:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def end(process: subprocess.Popen[bytes], *, stop_signal: int = signal.SIGTERM, grace_seconds: float = 15) -> int:
    """End one process and its group: ask, wait, kill. Returns the exit code; ending an ended one is fine."""
    ask_to_end(process, stop_signal)
    wait_until_ended(process, until=time.monotonic() + grace_seconds)
    return bury(process)


def created_at(pid: int) -> float | None:
    """Say when the process began, `None` if there is none: number and beginning together name it for good."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def end_stranger(pid: int, *, created: float, stop_signal: int = signal.SIGTERM, grace_seconds: float = 10) -> None:
    """End a process that an earlier run left behind, if it is still the same one; its group goes with it."""
    try:
        process = psutil.Process(pid)
        if process.create_time() != created:
            return
        leads_group = os.getpgid(pid) == pid
        process.send_signal(stop_signal)
        with suppress(psutil.TimeoutExpired):
            process.wait(grace_seconds)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
    if leads_group:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def last_words(program: Program) -> str:
    """Say where to read what a program said, or give the end of its log."""
    if program.log is None:
        return "what it said stands above."
    with suppress(OSError):
        return "\n".join(["its log ends with:", *program.log.read_text(errors="replace").splitlines()[-15:]])
    return "it has no log."
