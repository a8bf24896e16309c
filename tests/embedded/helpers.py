"""Watching real processes."""

from __future__ import annotations

import psutil


def is_alive(pid: int) -> bool:
    """Say whether the process runs; one that only waits to be buried does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find(*words: str) -> list[int]:
    """Find the living processes whose command line has all the words."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if all(word in line for word in words) and is_alive(process.pid):
            found.append(process.pid)
    return found
