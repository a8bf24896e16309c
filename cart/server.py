"""The carts' Redis server itself: which run of it this is, how it is set, which version it has."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from cart import keys, store
from shop.core import redis
from shop.core.redis import Client


def run_id() -> str:
    """Tell the run id of the server (of all of a cluster's), which changes when it is started anew.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> str:
        if not redis.is_cluster(client):
            return str(client.info("server")["run_id"])
        nodes: Any = client.info("server", target_nodes="primaries")
        return " ".join(sorted(str(node["run_id"]) for node in nodes.values()))

    return store.run(use)


def settings(name: str) -> frozenset[str]:
    """Give the values of one of the server's settings, one or more in a cluster; none if it does not let us ask.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> frozenset[str]:
        try:
            answer: Any = client.config_get(name)
        except ResponseError:
            return frozenset()
        # A cluster answers by node, a server alone with the value.
        return frozenset(str(part) for part in (answer or {}).values())

    return store.run(use)


def versions() -> frozenset[str]:
    """Give the versions of the server, one or more in a cluster; none if it does not let us ask.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> frozenset[str]:
        try:
            answer: Any = client.info("server")
        except ResponseError:
            return frozenset()
        nodes = [answer] if "redis_version" in answer else list(answer.values())
        return frozenset(str(node["redis_version"]) for node in nodes)

    return store.run(use)


def read_epoch() -> str:
    """Tell for which run of the server carts were last compared with their records; empty if never.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    return str(store.run(lambda client: client.get(keys.EPOCH)) or "")


def write_epoch(run: str) -> None:
    """Remember for which run of the server carts were compared.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    store.run(lambda client: client.set(keys.EPOCH, run))
