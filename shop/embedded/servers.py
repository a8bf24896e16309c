"""Both servers together, for as long as a block lasts: what the tests, benchmarks and checks stand on."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shop.embedded import addresses, postgres, redis_server
from shop.embedded.processes import Program, created_at, end, has_ended, last_words, start

START_SECONDS = 60


def programs(
    directory: Path,
    sockets: Path,
    *,
    is_durable: bool,
    with_postgres: bool = True,
    with_redis: bool = True,
) -> tuple[Program, ...]:
    """Prepare the directory and describe the servers that run over it."""
    logs = directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    found: list[Program] = []
    if with_postgres:
        log = logs / "postgres.log"
        postgres.prepare(directory / "postgres", sockets, log=log)
        found.append(postgres.program(directory / "postgres", sockets, log=log, is_durable=is_durable))
    if with_redis:
        log = logs / "redis.log"
        found.append(redis_server.program(directory / "redis", sockets, log=log, is_durable=is_durable))
    return tuple(found)


def is_ready(program: Program, sockets: Path) -> bool:
    """Say whether the server that the program is takes requests."""
    return postgres.is_ready(sockets) if program.name == "postgres" else redis_server.is_ready(sockets)


def wait_until_ready(program: Program, process: subprocess.Popen[bytes], sockets: Path) -> None:
    """Wait for the server's first answer.

    :raises RuntimeError: if it ends, or does not answer within a minute; with the last lines of its log.
    """
    until = time.monotonic() + START_SECONDS
    while not is_ready(program, sockets):
        if has_ended(process) or time.monotonic() > until:
            msg = f"{program.name} does not start: {last_words(program)}"
            raise RuntimeError(msg)
        time.sleep(0.05)


def clear_leftovers() -> None:
    """Delete the directories of test sessions that were killed; their servers ended with them."""
    for directory in addresses.test_directory(0).parent.glob(f"trolley-test-{os.getuid()}-*"):
        pid = directory.name.rpartition("-")[2]
        if pid.isdecimal() and created_at(int(pid)) is None:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running(
    directory: Path,
    *,
    with_postgres: bool = True,
    with_redis: bool = True,
) -> Iterator[addresses.Addresses]:
    """Run throw-away servers in the directory; it is deleted at the end, and a leftover of that name before."""
    if directory.exists():
        if directory.stat().st_uid not in (os.geteuid(), 0):
            msg = f"{directory} belongs to somebody else."
            raise RuntimeError(msg)
        shutil.rmtree(directory)
    # Others may pass, not look: PostgreSQL started by root runs as somebody else.
    directory.mkdir(mode=0o711)
    directory.chmod(0o711)
    sockets = directory / "run"
    processes: list[tuple[Program, subprocess.Popen[bytes]]] = []
    try:
        planned = programs(directory, sockets, is_durable=False, with_postgres=with_postgres, with_redis=with_redis)
        processes.extend((program, start(program, cwd=Path("/"))) for program in planned)
        for program, process in processes:
            wait_until_ready(program, process, sockets)
        if with_postgres:
            postgres.ensure_database(sockets, "trolley")
        yield addresses.in_directory(sockets)
    finally:
        for program, process in reversed(processes):
            end(process, stop_signal=program.stop_signal, grace_seconds=5)
        shutil.rmtree(directory, ignore_errors=True)
