"""`make demo`: the whole shop on one machine, from nothing to the first page; ends with everything it started."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from shop.embedded import addresses, postgres, servers, supervisor
from shop.embedded.ports import is_busy
from shop.embedded.processes import Program, has_ended, last_words

ROOT = Path(__file__).resolve().parents[2]
STAFF = "staff@example.com"
CUSTOMER = "ada@example.com"
REGIONS = "uk=United Kingdom:GBP:GB,GG,IM,JE; eu=Europe:EUR:AT,BE,DE,ES,FI,FR,IE,IT,NL,PT"
PASSWORD = "trolley-demo"  # noqa: S105 - printed at every start, for made-up people on a private machine

_FIRST_PAGE_SECONDS = 60
_HIGHEST_PORT = 65_535


class RefusedError(Exception):
    """The demo cannot start; the text says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the environment asks for."""

    data_dir: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to open in a browser."""
        host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else self.host  # noqa: S104 - a test
        return f"http://{host}:{self.port}"


def main() -> int:
    """Run the demo until it is asked to end; return the exit code."""
    stop, hurry = threading.Event(), threading.Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, asked)
    try:
        options = read_options()
        with held(options.data_dir):
            return _run(options, stop, hurry)
    except RefusedError as refusal:
        supervisor.say("demo", str(refusal))
        return 1


def _run(options: Options, stop: threading.Event, hurry: threading.Event) -> int:
    sockets = addresses.socket_directory(options.data_dir)
    _own(sockets)
    household = supervisor.Household(options.data_dir / "run" / "processes.json", ROOT)
    supervisor.clear_leftovers(household.register)
    if is_busy(options.host, options.port):
        msg = f"Port {options.port} is taken by another program: choose one with `make demo PORT=8001`."
        raise RefusedError(msg)
    try:
        where = _start_servers(household, options, sockets, stop)
        env = _environment(options, where)
        addresses.write(options.data_dir, where)
        _prepare(household, options, env, stop)
        for program in _programs(options, env):
            supervisor.begin(household, program)
        _wait_for_the_first_page(household, options, stop)
        _greet(options)
        while not stop.wait(0.2):
            supervisor.tend(household)
    except supervisor.StoppedError:
        pass
    except (supervisor.CannotRunError, RuntimeError, FileNotFoundError) as error:
        supervisor.say("demo", str(error))
        return 1
    finally:
        stop.set()
        supervisor.say("demo", "Ending. Everything in the shop is kept for the next start.")
        (options.data_dir / "servers.json").unlink(missing_ok=True)
        supervisor.end_all(household, hurry=hurry)
    return 0


def read_options() -> Options:
    """Read what the environment asks for.

    :raises RefusedError: if PORT is no port.
    """
    data_dir = Path(os.environ.get("DATA_DIR") or "var")
    text = os.environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) <= _HIGHEST_PORT:
        msg = f"PORT={text}: must be a number from 1 to {_HIGHEST_PORT}."
        raise RefusedError(msg)
    return Options(
        data_dir=(ROOT / data_dir).resolve(),
        host=os.environ.get("HOST") or "127.0.0.1",
        port=int(text),
    )


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Hold the directory for this demo. The kernel lets go of it when we die, however we die.

    :raises RefusedError: if another demo holds it, or it cannot be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        (data_dir / "run").mkdir(mode=0o700, exist_ok=True)
        file = (data_dir / "demo.lock").open("a")
    except OSError as error:
        msg = f"DATA_DIR={data_dir} cannot be used: {error.strerror}."
        raise RefusedError(msg) from None
    with file:
        until = time.monotonic() + 1  # a command beside us looks at the lock for an instant
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
                msg = f"Another demo is running on {data_dir}: end it, or choose another place with DATA_DIR."
                raise RefusedError(msg) from None
            break
        yield


def _own(sockets: Path) -> None:
    """Make the directory of the sockets; one in a shared place must be ours.

    :raises RefusedError: if somebody else made it.
    """
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() and sockets.stat().st_uid != os.geteuid():
        msg = f"{sockets} belongs to somebody else."
        raise RefusedError(msg)


def _start_servers(
    household: supervisor.Household,
    options: Options,
    sockets: Path,
    stop: threading.Event,
) -> addresses.Addresses:
    named = {name: os.environ.get(name, "") for name in addresses.NAMES}
    with_postgres = not named["DATABASE_URL"]
    with_redis = not all(named[name] for name in addresses.NAMES[1:])
    if with_postgres or with_redis:
        kinds = " and ".join(["PostgreSQL"] * with_postgres + ["Redis"] * with_redis)
        supervisor.say("demo", f"Starting {kinds} in {options.data_dir} ...")
    for program in servers.programs(
        options.data_dir,
        sockets,
        is_durable=True,
        with_postgres=with_postgres,
        with_redis=with_redis,
    ):
        child = supervisor.begin(household, program)
        until = time.monotonic() + servers.START_SECONDS
        while not servers.is_ready(program, sockets):
            if stop.wait(0.05):
                raise supervisor.StoppedError
            if has_ended(child.process) or time.monotonic() > until:
                msg = f"{program.name} does not start: {last_words(program)}"
                raise RuntimeError(msg)
    if with_postgres:
        postgres.ensure_database(sockets, "trolley")
    return addresses.chosen(named, addresses.in_directory(sockets))


def _environment(options: Options, where: addresses.Addresses) -> dict[str, str]:
    # A cart in the browser knows one currency, so that a demo of it has one region.
    is_in_browser = os.environ.get("CART_GUEST_STORAGE") == "client"
    defaults = {
        "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
        "BASE_URL": options.url,
        "DEBUG": "false",
        "LOG_LEVEL": "WARNING",
        "PRICING_REGIONS": "" if is_in_browser else REGIONS,
        "LANGUAGES": "en-gb,de",
    }
    return {
        **{name: os.environ.get(name) or value for name, value in defaults.items()},
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(options.data_dir),
        **where.environment(),
    }


def _prepare(
    household: supervisor.Household,
    options: Options,
    env: dict[str, str],
    stop: threading.Event,
) -> None:
    """Bring tables, demo data and static files up to date: quick when they are."""

    def step(name: str, *arguments: str) -> Program:
        return Program(name, (sys.executable, "manage.py", *arguments), env=env)

    stamp, digest = options.data_dir / "run" / "static.stamp", _static_digest()
    is_stale = not stamp.exists() or stamp.read_text() != digest
    statics = None
    if is_stale:
        supervisor.say("demo", "Collecting static files ...")
        statics = supervisor.begin(household, step("static", "collectstatic", "--noinput", "--clear", "--verbosity=0"))
    supervisor.say("demo", "Bringing the database up to date ...")
    supervisor.run_step(household, step("migrate", "migrate", "--noinput", "--verbosity=0"), stop)
    supervisor.run_step(household, step("data", "load_demo"), stop)
    reminders = supervisor.begin(household, step("reminders", "load_demo_reminders"))
    if statics is not None:
        supervisor.wait_for_step(household, statics, stop)
        stamp.write_text(digest)
    supervisor.wait_for_step(household, reminders, stop)


def _static_digest() -> str:
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for path in sorted((ROOT / "shop" / "static").rglob("*")):
        if path.is_file():
            digest.update(os.fsencode(path.relative_to(ROOT)) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _programs(options: Options, env: dict[str, str]) -> tuple[Program, ...]:
    """Describe the processes of the shop; the Procfile names the same ones for servers of your own."""
    python = (sys.executable, "-W", "ignore:You're running the worker with superuser", "-m")
    celery = (*python, "celery", "--app", "shop", "--quiet")
    return (
        Program(
            "web",
            (
                *(*python, "granian", "--interface", "wsgi", "--host", options.host, "--port", str(options.port)),
                *("--workers", "2", "--blocking-threads", "4", "--log-level", "warning", "--workers-kill-timeout", "5"),
                *("--respawn-failed-workers", "shop.wsgi:application"),
            ),
            env=env,
            stage=2,
        ),
        Program("recorder", (sys.executable, "manage.py", "record_cart_events"), env=env),
        Program(
            "worker",
            (*celery, "worker", "--without-gossip", "--without-mingle", "--concurrency", "2", "--loglevel", "WARNING"),
            env=env,
        ),
        Program("beat", (*celery, "beat", "--loglevel", "WARNING", "--pidfile="), env=env, stage=2),
    )


def _wait_for_the_first_page(household: supervisor.Household, options: Options, stop: threading.Event) -> None:
    """Wait until the shop shows its first page.

    :raises RuntimeError: if it does not within a minute.
    """
    until = time.monotonic() + _FIRST_PAGE_SECONDS
    url = f"http://{'127.0.0.1' if options.host == '0.0.0.0' else options.host}:{options.port}/"  # noqa: S104 - a test
    answer = "nothing"
    while time.monotonic() < until:
        if stop.wait(0.1):
            raise supervisor.StoppedError
        supervisor.tend(household)
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except urllib.error.HTTPError as error:
            answer = f"HTTP {error.code}"
        except OSError:
            answer = "nothing"
    msg = f"The shop does not show its first page: {url} answered {answer}."
    raise RuntimeError(msg)


def _greet(options: Options) -> None:
    for line in (
        "",
        f"The shop is open:  {options.url}/",
        f"Staff's pages:     {options.url}/admin/    {STAFF} / {PASSWORD}",
        f"A customer:        {CUSTOMER} / {PASSWORD}",
        f"Mails it sends:    {options.data_dir / 'mail'}",
        "Commands beside it work: .venv/bin/python manage.py shell",
        "Ctrl-C ends everything; the data stay.",
        "",
    ):
        supervisor.say("demo", line)


if __name__ == "__main__":
    sys.exit(main())
