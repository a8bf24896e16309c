"""The stack that is measured: own servers, the shop and the floor behind the same web server, no debugging."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from shop.embedded import servers
from shop.embedded.processes import Program, end, has_ended, start
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FLOOR_KEY = "bench:floor"
WORKERS = 2
THREADS = 4
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything answers. URLs have no slash at the end."""

    shop: str
    floor: str
    environment: Mapping[str, str]
    shop_pid: int
    """The web server's own process; those that serve are its children."""
    start_seconds: float
    """From the web server's start to its first answer."""

    def megabytes(self) -> list[float]:
        """Tell the resident memory of each process that serves the shop."""
        return [child.memory_info().rss / 1_000_000 for child in psutil.Process(self.shop_pid).children()]


def granian(port: int, target: str) -> tuple[str, ...]:
    """Give granian's command line."""
    served = ("--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS), "--blocking-threads", str(THREADS))
    return (sys.executable, "-m", "granian", "--interface", "wsgi", "--log-level", "error", *served, target)


def gunicorn(port: int, target: str) -> tuple[str, ...]:
    """Give gunicorn's command line with threads, its closest likeness to granian."""
    served = ("--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--threads", str(THREADS), "--keep-alive", "60")
    return (sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--log-level", "error", *served, target)


SERVERS = {"granian": granian, "gunicorn": gunicorn}


@contextmanager
def running(*, server: str, background: bool) -> Iterator[Stack]:
    """Run servers, the demo's catalogue, the shop and the floor for as long as the block lasts.

    :param background: whether recorder and worker run too, as they would in production.
    :raises RuntimeError: if a part does not start.
    """
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="trolley-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        addresses = stack.enter_context(servers.running(path / "servers"))
        shop_port, floor_port = free_port(), free_port()
        environment = {
            **addresses.environment(),
            "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
            "DEBUG": "false",
            "LOG_LEVEL": "ERROR",
            "DATA_DIR": str(path / "data"),
            "BASE_URL": f"http://127.0.0.1:{shop_port}",
            "API_CART_WRITES_PER_MINUTE": "0",
            "API_CHECKOUT_STARTS_PER_MINUTE": "0",
        }
        for command in (["migrate", "--verbosity=0"], ["load_demo"], ["collectstatic", "--noinput", "--verbosity=0"]):
            manage(command, environment)
        began = time.perf_counter()
        shop_pid = begin(stack, "shop", SERVERS[server](shop_port, "shop.wsgi:application"), environment)
        wait_for(f"http://127.0.0.1:{shop_port}/livez")
        start_seconds = time.perf_counter() - began
        floor = {name: value for name, value in environment.items() if name != "DJANGO_SETTINGS_MODULE"}
        begin(stack, "floor", SERVERS[server](floor_port, "tests.bench.floor:application"), floor)
        if background:
            begin(stack, "recorder", (sys.executable, "manage.py", "record_cart_events"), environment)
        shop, floor_url = f"http://127.0.0.1:{shop_port}", f"http://127.0.0.1:{floor_port}"
        wait_for(f"{floor_url}/floor")
        yield Stack(shop, floor_url, environment, shop_pid, start_seconds)


def manage(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Run one of Django's commands to its end.

    :raises subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)


def begin(stack: ExitStack, name: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Start a program that ends with the stack; give its process id.

    :raises RuntimeError: if it ends at once.
    """
    process = start(Program(name=name, argv=argv, env=dict(environment)), cwd=ROOT)
    stack.callback(end, process, grace_seconds=5)
    if has_ended(process):
        msg = f"{name} does not start"
        raise RuntimeError(msg)
    return process.pid


def wait_for(url: str) -> None:
    """Wait for an answer.

    :raises RuntimeError: if none comes.
    """
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                msg = f"no answer from {url}"
                raise RuntimeError(msg) from None
            time.sleep(0.1)
