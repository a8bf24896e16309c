"""What Redis holds of many carts at once."""

from __future__ import annotations

from collections.abc import Sequence

from cart import keys, store
from shop.core import redis
from shop.core.redis import Client


def list_owners(*, begins: str = "", most: int | None = None) -> list[str]:
    """Name the owners of live carts that begin so, at most `most`; walks the keys without stopping the server.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> list[str]:
        found: list[str] = []
        for name in client.scan_iter(match=f"cart:{{*}}:{begins}*", count=1_000):
            found.append(name.partition("}:")[2])
            if len(found) == most:
                break
        return found

    return store.run(use)


def versions(owners: Sequence[str]) -> dict[str, int]:
    """Tell the versions of those of these carts that Redis holds: one pipeline.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> dict[str, int]:
        pipeline = redis.pipeline(client)
        for owner in owners:
            pipeline.hget(keys.cart(owner), "@version")
        return {owner: int(text) for owner, text in zip(owners, pipeline.execute(), strict=True) if text}

    return store.run(use) if owners else {}


def read_all(owners: Sequence[str]) -> dict[str, store.Fields]:
    """Read the fields of those of these carts that Redis holds: one pipeline.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> dict[str, store.Fields]:
        pipeline = redis.pipeline(client)
        for owner in owners:
            pipeline.hgetall(keys.cart(owner))
        return {owner: fields for owner, fields in zip(owners, pipeline.execute(), strict=True) if fields}

    return store.run(use) if owners else {}


def forget_none(owners: Sequence[str]) -> None:
    """Forget that PostgreSQL was found to hold nothing for these owners: one pipeline.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """

    def use(client: Client) -> None:
        pipeline = redis.pipeline(client)
        for owner in owners:
            pipeline.delete(keys.asked(owner))
        pipeline.execute()

    if owners:
        store.run(use)
