"""The ground that the other tests stand on."""

from __future__ import annotations

import signal
import socket
import urllib.request
from pathlib import Path

import pytest
import redis
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from pytest_socket import SocketConnectBlockedError

from shop.embedded import addresses, servers
from tests.conftest import RunProcess, running_process
from tests.embedded.helpers import find
from tests.waiting import wait_until


@pytest.mark.django_db
def test_the_database_is_a_postgresql_of_the_tests_own_in_utc_and_utf8() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_setting('timezone'), current_setting('server_encoding')")
        name, zone, encoding = cursor.fetchone()
    assert name.startswith("test_")
    assert (zone, encoding) == ("UTC", "UTF8")


def test_the_carts_redis_never_evicts(cart_redis: redis.Redis) -> None:
    assert cart_redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("run", [1, 2])
def test_each_test_finds_redis_and_cache_empty(run: int, cart_redis: redis.Redis, clean_cache: object) -> None:
    assert cart_redis.dbsize() == 0
    assert cache.get("left") is None
    cart_redis.set("left", run)
    cache.set("left", run)
    assert cache.get("left") == run


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_speaks_to_another_machine() -> None:
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 80))


@pytest.mark.django_db
def test_a_page_of_the_test_client_needs_no_server() -> None:
    get_user_model().objects.create_user(email="someone@example.com", password="x")
    assert get_user_model().objects.count() == 1


def test_a_real_process_sees_this_workers_database(run_process: RunProcess) -> None:
    get_user_model().objects.create_user(email="someone@example.com", password="x")
    code = "from django.contrib.auth import get_user_model as u; print('found', u().objects.count())"
    with run_process(["python", "manage.py", "shell", "--no-imports", "-c", code]) as process:
        assert process.wait() == 0, process.output()
    assert "found 1" in process.output()


def test_a_real_web_server_answers(web_server: str) -> None:
    with urllib.request.urlopen(f"{web_server}/livez") as answer:
        assert answer.status == 200


OWN_SERVERS = {"TEST_SERVERS_DIR": "", "PYTEST_XDIST_WORKER": "", **dict.fromkeys(addresses.NAMES, "")}
SLEEPING_TEST = "import time\n\n\ndef test_sleeps(db):\n    time.sleep(300)\n"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_session_leaves_no_servers(ending: int, tmp_path: Path) -> None:
    (tmp_path / "test_sleep.py").write_text(SLEEPING_TEST)
    argv = ["python", "-m", "pytest", "-n0", "-p", "no:cacheprovider", "-p", "tests.conftest", str(tmp_path)]
    argv += ["-c", "pyproject.toml", "--rootdir", ".", "-v", "-s"]
    with running_process(argv, env=OWN_SERVERS) as session:
        directory = addresses.test_directory(session.process.pid)
        wait_until(lambda: len(find(str(directory))) >= 2)
        session.process.send_signal(ending)
        session.wait()
    wait_until(lambda: find(str(directory)) == [])
    if ending == signal.SIGKILL:
        assert directory.exists()
        servers.clear_leftovers()
    assert not directory.exists()
