"""Redis servers of a test's own: a cluster of three, and a master with a replica under Sentinel."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from shop.embedded import redis_server
from tests import waiting
from tests.ports import free_port

SLOTS = 16_384


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Wait for something that takes a moment, in which a server may not answer."""

    def is_told() -> bool:
        try:
            return bool(is_so())
        except redis.RedisError:
            return False

    waiting.wait_until(is_told, what)


@dataclass(slots=True)
class Server:
    """One Redis on a port of its own."""

    directory: Path
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start it and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        argv = [str(redis_server.binary()), *self.arguments, "--port", str(self.port), "--dir", str(self.directory)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        process = self.process
        wait_until(lambda: process.poll() is None and self.client().ping(), "Redis did not start")
        return self

    def client(self) -> Any:
        """Connect to this server alone."""
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=waiting.PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it at once."""
        if self.process:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=waiting.PATIENCE_SECONDS)
            self.process = None


class Cluster:
    """Three masters that share the slots."""

    def __init__(self, directory: Path) -> None:
        options: tuple[str, ...] = (
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "60000",
            "--save",
            "",
            "--appendonly",
            "no",
        )
        options += ("--bind", "127.0.0.1", "--maxmemory-policy", "noeviction")
        self.nodes = [Server(directory / str(n), options, port=free_port()) for n in range(3)]
        self.url = f"redis+cluster://127.0.0.1:{self.nodes[0].port}?{waiting.OF_REDIS}"
        try:
            self._join()
        except BaseException:
            self.stop()
            raise

    def _join(self) -> None:
        for number, node in enumerate(self.nodes):
            node.start()
            slots = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            node.client().execute_command("CLUSTER ADDSLOTS", *slots)
            node.client().execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            node.client().execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)
        wait_until(self._is_whole, "the cluster did not come together")

    def _is_whole(self) -> bool:
        states = [dict(node.client().execute_command("CLUSTER INFO")) for node in self.nodes]
        return all((s["cluster_state"], s["cluster_known_nodes"]) == ("ok", "3") for s in states)

    def client(self) -> Any:
        """Connect to the cluster."""
        return redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port, decode_responses=True)

    def flush(self) -> None:
        """Empty every node."""
        for node in self.nodes:
            node.client().flushall()

    def node_of(self, slot: int) -> Server:
        """Tell which node has a slot."""
        for first, last, master, *_ in self.nodes[0].client().execute_command("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise AssertionError(slot)

    def move_slot(self, slot: int, *, between: Callable[[], object] = lambda: None) -> None:
        """Move a slot to another node key by key, as resharding does; `between` runs when half of the keys are over."""
        source = self.node_of(slot)
        target = next(node for node in self.nodes if node is not source)
        ids = {node.port: str(node.client().execute_command("CLUSTER MYID")) for node in self.nodes}
        target.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.port])
        source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.port])
        names = list(source.client().execute_command("CLUSTER GETKEYSINSLOT", slot, 1_000))
        for number, name in enumerate(names):
            if number == (len(names) + 1) // 2:
                between()
            source.client().execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5_000)
        # Keys that came into being meanwhile.
        while left := source.client().execute_command("CLUSTER GETKEYSINSLOT", slot, 1_000):
            for name in left:
                source.client().execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5_000)
        for node in (target, source, *self.nodes):
            node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.port])

    def stop(self) -> None:
        """End it."""
        for node in self.nodes:
            node.kill()


class Watched:
    """A master and a replica, watched by one Sentinel, which promotes the replica when the master is gone."""

    NAME = "carts"

    def __init__(self, directory: Path) -> None:
        options = ("--save", "", "--appendonly", "yes", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
        self.master = Server(directory / "master", options)
        replica_of = ("--replicaof", "127.0.0.1", str(self.master.port))
        self.replica = Server(directory / "replica", (*options, *replica_of))
        config = directory / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {self.NAME} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {self.NAME} 60000\n"
            f"sentinel failover-timeout {self.NAME} 3000\n"
        )
        self.sentinel = Server(directory / "sentinel", (str(config), "--sentinel", "--bind", "127.0.0.1"))
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{self.NAME}/0"
        try:
            self._join()
        except BaseException:
            self.stop()
            raise

    def _join(self) -> None:
        self.master.start()
        self.replica.start()
        wait_until(lambda: self._link() == "up", "no replication")
        self.sentinel.start()
        wait_until(lambda: self._of_sentinel("num-slaves") == "1", "Sentinel does not see the replica")

    def _link(self) -> str:
        return str(self.replica.client().info("replication")["master_link_status"])

    def _of_sentinel(self, name: str) -> str:
        flat = self.sentinel.client().execute_command("SENTINEL MASTER", self.NAME)
        facts = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
        return str(facts[name])

    def lose_master(self) -> None:
        """End the master, of which Sentinel has been patient until then."""
        self.sentinel.client().execute_command("SENTINEL SET", self.NAME, "down-after-milliseconds", 500)
        self.master.kill()

    def has_failed_over(self) -> bool:
        """Tell whether Sentinel has put the replica in charge, and the replica knows."""
        is_named = self._of_sentinel("port") == str(self.replica.port)
        return is_named and self.replica.client().info("replication")["role"] == "master"

    def stop(self) -> None:
        """End all three."""
        for server in (self.sentinel, self.replica, self.master):
            server.kill()
