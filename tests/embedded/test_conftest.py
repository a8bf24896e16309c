"""The ground that the other tests stand on."""

from __future__ import annotations

import socket
import urllib.request

import pytest
import redis
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection
from pytest_socket import SocketConnectBlockedError

from tests.conftest import RunProcess


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


@pytest.mark.filterwarnings("default:A test tried to use socket")
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
