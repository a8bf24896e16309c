"""A Redis of a test's own for its carts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.core import redis as connections
from shop.embedded import redis_server
from tests.ports import free_port
from tests.waiting import OF_REDIS, PATIENCE_SECONDS


class OwnRedis:
    """A Redis of the test's own, to be stopped, frozen and started again on the same file."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program = program
        self.directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0?{OF_REDIS}"
        self.frozen_url = f"redis://127.0.0.1:{self.port}/0"
        """For a test that keeps it from answering: the shop's own patience."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str, is_loading: bool = False) -> None:
        """Start it and wait until it answers, or says that it is loading its file."""
        arguments = ["--port", str(self.port), "--dir", str(self.directory), "--save", "", "--appendonly", "yes", *more]
        self.process = subprocess.Popen([self.program, *arguments], stdout=subprocess.DEVNULL)
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
            ends = time.monotonic() + 60
            while time.monotonic() < ends:
                try:
                    client.ping()
                    return
                except redis.BusyLoadingError:
                    if is_loading:
                        return
                    time.sleep(0.02)
                except redis.RedisError:
                    time.sleep(0.02)
        raise AssertionError("Redis did not start")

    def send(self, number: int) -> None:
        """Send a signal to the server itself."""
        assert self.process
        os.kill(self.process.pid, number)

    @contextmanager
    def demoted(self) -> Iterator[None]:
        """Let it be the replica of a master that nobody can reach: it refuses changes and answers reads."""
        with redis.Redis(port=self.port) as client:
            client.replicaof("127.0.0.1", "1")
            yield
            client.replicaof("NO", "ONE")

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self.process:
            self.send(signal.SIGCONT)
            self.send(number)
            self.process.wait(timeout=PATIENCE_SECONDS)
            self.process = None


@pytest.fixture
def own_redis(tmp_path: Path, settings: Any) -> Iterator[OwnRedis]:
    """Let carts live in a Redis of the test's own."""
    server = OwnRedis(str(redis_server.binary()), tmp_path)
    server.start()
    settings.CART = replace(settings.CART, redis_url=server.url)
    yield server
    server.stop()
    for url in (server.url, server.frozen_url):
        connections.client(url).close()
        connections.mend(url)
