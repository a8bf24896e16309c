"""A real worker whose broker goes away, and one that is woken for what only another release knows."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from kombu import Connection

from notifications.models import Suppression
from notifications.tasks import forget_old
from shop.celery import app
from shop.core import clock
from shop.embedded import addresses, redis_server
from shop.embedded.processes import Program, end, start
from tests.conftest import RunningProcess, RunProcess
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def broker() -> Iterator[Path]:
    """Give a directory for a broker's socket: short, as the paths of sockets have to be."""
    with tempfile.TemporaryDirectory(prefix="trolley-broker-") as folder:
        yield Path(folder)


def server(folder: Path) -> Program:
    """Describe the broker, which keeps nothing when it ends."""
    return redis_server.program(folder / "data", folder, log=folder / "log", is_durable=False)


@contextmanager
def running_broker(folder: Path) -> Iterator[None]:
    """Run the broker until the block ends; then it is killed."""
    process = start(server(folder), cwd=Path("/"))
    try:
        wait_until(lambda: redis_server.is_ready(folder))
        yield
    finally:
        end(process, stop_signal=signal.SIGKILL)


def worker(run_process: RunProcess, folder: Path) -> AbstractContextManager[RunningProcess]:
    """Run a worker as in production, but with one process for all."""
    options = ("--without-gossip", "--without-mingle", "--pool=solo", "--loglevel=INFO")
    return run_process(
        ["python", "-m", "celery", "--app", "shop", "worker", *options],
        env={"CELERY_BROKER_URL": addresses.in_directory(folder).celery_broker_url},
    )


def wake(folder: Path, name: str, **arguments: object) -> None:
    """Send a wake-up, as beat does."""
    with Connection(addresses.in_directory(folder).celery_broker_url) as connection:
        app.send_task(name, kwargs=arguments, connection=connection)


def leave_work() -> None:
    """Leave something that the task `forget_old` does."""
    an_hour_ago = clock.now() - timedelta(hours=1)
    Suppression.objects.create(
        email_hash="0" * 64, scope="all", reason="soft_bounce", created_at=an_hour_ago, expires_at=an_hour_ago
    )


def is_done() -> bool:
    """Tell whether it was done."""
    return not Suppression.objects.exists()


def test_a_worker_goes_on_when_its_broker_was_restarted_with_nothing_in_it(
    run_process: RunProcess, broker: Path
) -> None:
    with ExitStack() as until_then:
        with running_broker(broker):
            until_then.enter_context(worker(run_process, broker))
            leave_work()
            wake(broker, forget_old.name)
            wait_until(is_done)
        leave_work()
        with running_broker(broker):
            wake(broker, forget_old.name)
            wait_until(is_done)


def test_what_only_a_newer_release_knows_is_put_aside_and_holds_up_nothing(
    run_process: RunProcess, broker: Path
) -> None:
    leave_work()
    with running_broker(broker), worker(run_process, broker) as process:
        wake(broker, "notifications.tasks.of_a_newer_release", since="tomorrow")
        wake(broker, forget_old.name, since="tomorrow")
        wait_until(is_done)
        process.wait_for("Received unregistered task of type 'notifications.tasks.of_a_newer_release'")
