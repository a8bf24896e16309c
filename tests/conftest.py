"""What every test stands on: real servers, a database and Redis of its own, and help with real processes.

Servers
    The process that starts the session starts one PostgreSQL and one Redis (`shop.embedded.servers`) where
    `shop.settings.test` says their sockets are, and stops and deletes them at the end, also after Ctrl-C or when it
    is killed. Workers of pytest-xdist share them: each has a database (`test_trolley_gw1`) and three Redis databases
    of its own. A URL set in the environment (DATABASE_URL, CART_REDIS_URL, CACHE_URL, CELERY_BROKER_URL) is used
    instead, each one alone too; those Redis databases are flushed.

Fixtures
    `cart_redis`     client of the cart's Redis; empty before each test that asks for it.
    `clean_cache`    the Django cache, empty before each test that asks for it. (Every test that uses the database or
                     `client` gets an empty cart store and cache by itself, see `_fresh_redis`.)
    `run_process`    `with run_process([...], env={...}) as process:` runs a real process against this worker's
                     database and Redis; ended, with its group, when the block ends. `process.output()` is what it
                     wrote, `process.wait_for("text")` waits for that text.
    `web_server`     the URL of a real granian on a free port against this worker's database, shared by the tests of
                     a worker. Commits, so the test runs with `transactional_db` (asked for by the fixture).

Marks
    `browser` `race` `fault` `bench`, see pyproject.toml. `browser` tests are skipped, with the reason, where there is
    no Chromium. Sockets are closed but to localhost and to Unix sockets.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase

from shop.core import limits
from shop.core import redis as redis_calls
from shop.embedded import addresses, servers
from shop.embedded.processes import Program, bury, end, has_ended, start
from tests import databases, emptying
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_servers = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, unless this is a worker, or nothing is going to run."""
    is_worker = hasattr(config, "workerinput")
    if is_worker or config.option.help or config.option.collectonly:
        return
    servers.clear_leftovers()
    has_postgres = not os.environ.get("DATABASE_URL")
    has_redis = not all(os.environ.get(name) for name in addresses.NAMES[1:])
    _servers.enter_context(
        servers.running(Path(settings.TEST_SERVERS_DIR), with_postgres=has_postgres, with_redis=has_redis),
    )


def pytest_unconfigure() -> None:
    """Stop and delete what was started."""
    _servers.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, django_db_blocker: Any) -> None:
    """Let the databases of all workers be made by one run of the migrations."""
    with django_db_blocker.unblock():
        databases.copy_one_for_all()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Make the database as pytest-django does; what tests commit to it goes by `tests.emptying`, not by a flush."""
    with django_db_blocker.unblock():
        made = emptying.what_migration_made()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: emptying.empty(made))
        yield
    # To drop the database may take a busy machine longer than the shop lets a statement take.
    connection.settings_dict["OPTIONS"].pop("options", None)


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first, so that no worker is left with one at the end; skip what needs a browser we have not."""
    items.sort(key=_turn)
    if Path(CHROMIUM).exists():
        return
    skip = pytest.mark.skip(reason=f"no Chromium at {CHROMIUM}: install it, or set CHROMIUM")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("browser") or item.path.parent.name == "embedded":
        return 0
    return 1 if any(item.get_closest_marker(name) for name in ("race", "fault", "cluster")) else 2


@pytest.fixture(autouse=True)
def _fresh_redis(request: pytest.FixtureRequest) -> None:
    """Empty the cart store and the cache before a test that may touch them."""
    from inventory.services import heating  # noqa: PLC0415 - needs Django, which is not there yet when this file is read

    # What an earlier test did is forgotten: neither circuit breaker nor limits stay at rest, no SKU stays hot.
    redis_calls._breaker.cache_clear()
    limits._resting_until = 0.0
    heating._known = (0.0, frozenset())
    names = {"db", "transactional_db", "client", "cart_redis", "clean_cache"}
    if names & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        _flush(settings.CART.redis_url)
        _flush(settings.CACHES["default"]["LOCATION"])


@pytest.fixture
def cart_redis() -> Iterator[redis.Redis]:
    """Give a client of the cart's Redis, empty. Workers share the server: no FLUSHALL, SCRIPT FLUSH or CONFIG here."""
    with redis.Redis.from_url(settings.CART.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def clean_cache() -> object:
    """Give Django's cache, empty."""
    return cache


@dataclass(slots=True)
class RunningProcess:
    """A real process, and what it has written so far."""

    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    def output(self) -> str:
        """Give what it has written to either output."""
        return "".join(self.lines)

    def wait_for(self, text: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it has written the text.

        :raises AssertionError: if it ends or takes too long without having done so.
        """
        until = time.monotonic() + seconds
        while text not in self.output():
            is_over = has_ended(self.process) and self.reader is not None and not self.reader.is_alive()
            assert not is_over, f"ended without {text!r}:\n{self.output()}"
            assert time.monotonic() < until, f"no {text!r} in {seconds} s:\n{self.output()}"
            time.sleep(0.02)

    def wait(self, *, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end and return the exit code.

        :raises AssertionError: if it takes too long.
        """
        until = time.monotonic() + seconds
        while not has_ended(self.process):
            assert time.monotonic() < until, f"still running after {seconds} s:\n{self.output()}"
            time.sleep(0.02)
        if self.reader is not None:
            self.reader.join(PATIENCE_SECONDS)
        return bury(self.process)


RunProcess = Callable[..., AbstractContextManager[RunningProcess]]


@contextmanager
def running_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    grace_seconds: float = 10,
) -> Iterator[RunningProcess]:
    """Run a program in the repository until the block ends; `python` means this one."""
    program = Program(
        name=argv[0],
        argv=(sys.executable if argv[0] == "python" else argv[0], *argv[1:]),
        env={"PYTHONUNBUFFERED": "1", **(env or {})},
    )
    running = RunningProcess(start(program, cwd=ROOT))

    def read() -> None:
        assert running.process.stdout is not None
        for line in running.process.stdout:
            running.lines.append(line.decode(errors="replace"))

    running.reader = threading.Thread(target=read, daemon=True)
    running.reader.start()
    try:
        yield running
    finally:
        if running.process.returncode is None:
            end(running.process, grace_seconds=grace_seconds)
        running.reader.join(PATIENCE_SECONDS)


def process_environment() -> dict[str, str]:
    """Name this worker's database and Redis for a process, which sees them as they are and adds no test names."""
    config = connection.settings_dict
    database = str(config["NAME"])
    base = settings.DATABASES["default"]
    host, port, user, password = (str(base.get(key) or "") for key in ("HOST", "PORT", "USER", "PASSWORD"))
    login = f"{user}:{password}@" if password else f"{user}@"
    where = f"{login}/{database}?host={host}" if host.startswith("/") else f"{login}{host}:{port or 5432}/{database}"
    return {
        "DJANGO_SETTINGS_MODULE": "shop.settings.test",
        "PYTEST_XDIST_WORKER": "gw0",
        "DATABASE_URL": f"postgres://{where}",
        "CART_REDIS_URL": settings.CART.redis_url,
        "CACHE_URL": settings.CACHES["default"]["LOCATION"],
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
    }


@pytest.fixture
def run_process(transactional_db: None) -> RunProcess:
    """Give `run_process([...])`, which runs a real process against this worker's database and Redis."""

    def run(
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        grace_seconds: float = 10,
    ) -> AbstractContextManager[RunningProcess]:
        return running_process(argv, env={**process_environment(), **(env or {})}, grace_seconds=grace_seconds)

    return run


@pytest.fixture(scope="session")
def _web_servers(django_db_setup: None) -> Iterator[dict[str, Any]]:
    """Keep the web server that is running, if one is, by what the environment said; ended before the database goes."""
    kept: dict[str, Any] = {"stack": ExitStack()}
    yield kept
    kept["stack"].close()


@pytest.fixture
def web_server(_web_servers: dict[str, Any], transactional_db: None) -> Iterator[str]:
    """Give the URL of a granian, without a slash at the end.

    One serves all tests of this worker that want the same environment: it keeps nothing of them but what follows from
    values. The test's data goes only when nobody is asking the database any more.
    """
    wanted = {name: value for name, value in os.environ.items() if _ENVIRONMENT.get(name) != value}
    wanted = {name: value for name, value in wanted.items() if name not in _NOT_THE_SERVERS}
    if _web_servers.get("environment") != wanted or has_ended(_web_servers["process"].process):
        _web_servers["stack"].close()
        _web_servers["url"], _web_servers["process"] = _web_servers["stack"].enter_context(serving())
        _web_servers["environment"] = wanted
    yield _web_servers["url"]
    wait_until_nobody_asks()


# What pytest and the browser's driver set, and no process of the shop reads.
_NOT_THE_SERVERS = {"PYTEST_CURRENT_TEST", "DJANGO_ALLOW_ASYNC_UNSAFE"}
_ENVIRONMENT = dict(os.environ)


@contextmanager
def serving() -> Iterator[tuple[str, RunningProcess]]:
    """Run a granian on a free port against this worker's database; give its URL and process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = ["python", "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--workers", "1", "--blocking-threads", "4", "--log-level", "warning", "shop.wsgi:application"]
    with running_process(argv, env={**process_environment(), "BASE_URL": url}, grace_seconds=3) as process:
        until = time.monotonic() + PATIENCE_SECONDS
        while not _answers(url):
            assert not has_ended(process.process), process.output()
            assert time.monotonic() < until, f"no answer:\n{process.output()}"
            time.sleep(0.05)
        yield url, process


def wait_until_nobody_asks(*, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until no other session of this worker's database is at work.

    :raises AssertionError: if one still is after so many seconds.
    """
    until = time.monotonic() + seconds
    quiet = 0
    while quiet < 3:
        assert time.monotonic() < until, f"a session is still at work after {seconds} s"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            quiet = quiet + 1 if cursor.fetchone() == (0,) else 0
        time.sleep(0.01)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/livez", timeout=PATIENCE_SECONDS):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _flush(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushdb()
