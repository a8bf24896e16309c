"""`make demo`, as a person meets it: the whole shop in real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from shop.catalog.management.commands import load_demo
from shop.embedded import addresses
from shop.embedded import demo as demo_module
from shop.embedded.processes import end_stranger
from tests.conftest import RunningProcess, running_process
from tests.embedded.helpers import find
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.fault
ROOT = Path(__file__).resolve().parents[2]
DEMO = ("python", "-m", "shop.embedded.demo")
# A demo has servers of its own: it must not see those of the tests.
BARE = {
    "DJANGO_SETTINGS_MODULE": "",
    "PYTEST_XDIST_WORKER": "",
    "TEST_SERVERS_DIR": "",
    **dict.fromkeys(addresses.NAMES, ""),
}


def started(
    data_dir: Path,
    *,
    port: int,
    env: Mapping[str, str] | None = None,
) -> AbstractContextManager[RunningProcess]:
    """Start a demo and end it with the block."""
    settings = {**BARE, "DATA_DIR": str(data_dir), "PORT": str(port), **(env or {})}
    return running_process(DEMO, env=settings, grace_seconds=30)


@contextmanager
def demo(data_dir: Path, *, port: int) -> Iterator[RunningProcess]:
    """Start a demo; whatever becomes of it, nothing that uses the directory is left after the block."""
    try:
        with started(data_dir, port=port) as process:
            yield process
    finally:
        for pid in of_this_demo(data_dir):
            try:
                end_stranger(pid, created=psutil.Process(pid).create_time(), grace_seconds=1)
            except psutil.NoSuchProcess:
                continue


def of_this_demo(data_dir: Path) -> list[int]:
    """Find every living process of the demo, by the directory in its environment or command line."""
    found = set(find(str(data_dir)))
    for process in psutil.process_iter():
        try:
            if process.environ().get("DATA_DIR") == str(data_dir) and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
        except psutil.Error:
            continue
    return sorted(found - {os.getpid()})


def found(data_dir: Path, word: str) -> int:
    """Find the first process of the demo whose command line has the word; 0 if there is none."""
    return min(set(find(word)) & set(of_this_demo(data_dir)), default=0)


def page(port: int) -> str:
    """Get the first page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE_SECONDS) as answer:
        return str(answer.read().decode())


def manage(data_dir: Path, *arguments: str) -> str:
    """Run a command beside the demo and give what it prints."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **BARE, "DJANGO_SETTINGS_MODULE": "shop.settings.dev", "DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


COUNT = "from shop.catalog.models import Product; print(Product.objects.count())"


def test_a_person_starts_uses_breaks_and_ends_the_shop(place: Path) -> None:
    data_dir, port = place, free_port()
    with demo(data_dir, port=port) as process:
        process.wait_for("The shop is open")
        assert "<html" in page(port)
        products = manage(data_dir, "shell", "--no-imports", "-c", COUNT)
        assert int(products) > 0

        with started(data_dir, port=free_port()) as second:
            assert second.wait() == 1
            assert f"Another demo is running on {data_dir}" in second.output()

        # A worker and the recorder die; both come back.
        recorder = found(data_dir, "record_cart_events")
        os.kill(found(data_dir, "--without-gossip"), signal.SIGKILL)
        os.kill(recorder, signal.SIGKILL)
        process.wait_for("worker | ended with exit code -9; starts again in 1 s.")
        process.wait_for("recorder | ended with exit code -9; starts again in 1 s.")
        wait_until(lambda: found(data_dir, "record_cart_events") not in (0, recorder))

        # The whole demo is killed; the next one clears away what that left, and keeps the data.
        process.process.kill()
        with demo(data_dir, port=port) as again:
            again.wait_for("The shop is open")
            with psycopg.connect(host=str(data_dir / "run"), user="postgres", dbname="trolley") as connection:
                assert connection.execute("SELECT count(*) FROM catalog_product").fetchone() == (int(products),)

            # The beat dies and is still dead when everything is asked to end.
            os.kill(found(data_dir, " beat "), signal.SIGKILL)
            again.process.send_signal(signal.SIGTERM)
            assert again.wait() == 0
        assert of_this_demo(data_dir) == []


def test_the_logins_it_shows_are_those_it_loads() -> None:
    shown = (demo_module.STAFF, demo_module.CUSTOMER, demo_module.PASSWORD)
    assert shown == (load_demo.STAFF, load_demo.CUSTOMERS[0][0], load_demo.PASSWORD)


@pytest.mark.parametrize(("storage", "regions"), [("client", ""), ("server", demo_module.REGIONS)])
def test_a_demo_of_carts_in_the_browser_has_one_region_as_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str, regions: str
) -> None:
    monkeypatch.setenv("CART_GUEST_STORAGE", storage)
    monkeypatch.delenv("PRICING_REGIONS", raising=False)
    options = demo_module.Options(tmp_path, "127.0.0.1", 8000)
    assert demo_module._environment(options, addresses.in_directory(tmp_path))["PRICING_REGIONS"] == regions


def test_a_busy_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started(tmp_path, port=port) as process:
            assert process.wait() == 1
    assert process.output() == (
        f"    demo | Port {port} is taken by another program: choose one with `make demo PORT=8001`.\n"
    )


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"PORT": "http"}, "PORT=http: must be a number from 1 to 65535."),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR=/proc/nowhere cannot be used: No such file or directory."),
    ],
)
def test_an_impossible_setting_is_told_in_a_sentence(tmp_path: Path, env: dict[str, str], sentence: str) -> None:
    with started(tmp_path, port=free_port(), env=env) as process:
        assert process.wait() == 1
    assert process.output() == f"    demo | {sentence}\n"


def test_clean_leaves_a_directory_alone_that_is_no_demos(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with running_process(["python", "-m", "shop.embedded.clean"], env={**BARE, "DATA_DIR": str(tmp_path)}) as process:
        assert process.wait() == 1
    assert "is no demo's directory: it is left alone." in process.output()
    assert (tmp_path / "thesis.txt").exists()


def test_clean_deletes_what_a_demo_made(tmp_path: Path) -> None:
    (tmp_path / "var" / "postgres").mkdir(parents=True)
    (tmp_path / "var" / "demo.lock").touch()
    env = {**BARE, "DATA_DIR": str(tmp_path / "var")}
    with running_process(["python", "-m", "shop.embedded.clean"], env=env) as process:
        assert process.wait() == 0
    assert not (tmp_path / "var").exists()
