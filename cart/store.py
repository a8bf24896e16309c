"""The cart's operations in Redis: one typed function a script or read, each one round trip."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from redis.exceptions import NoScriptError

from cart import keys
from cart.conf import conf
from cart.errors import CartsUnavailableError
from shop.core import redis
from shop.core.redis import Client

T = TypeVar("T")
Fields = dict[str, str]
DAY_MS = 86_400_000
ASKING_MS = 2_000
"""How long one process may ask PostgreSQL for a cart before another does."""
NONE_MS = 600_000
"""How long it is remembered that PostgreSQL holds nothing for an owner who has no cart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What `change` says.

    `status` is `ok`, `absent`, `reused`, `merged`, `frozen`, `locked`, `version` or `refused`.
    """

    status: str
    number: int = 0
    """Seconds of a lock, or the present version."""
    refusals: tuple[dict[str, Any], ...] = ()
    flags: str = ""
    undo: str = ""
    warnings: tuple[dict[str, Any], ...] = ()
    fields: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """What `freeze` says: `status` is `frozen`, `merged`, `absent`, `other` or `locked`."""

    status: str
    merge_id: str = ""
    policy: str = ""
    receipt: str = ""
    seconds: int = 0
    cart: Mapping[str, str] | None = None
    saved: Mapping[str, str] | None = None


@cache
def _script(name: str) -> tuple[str, str]:
    """Read a script: its text and the SHA-1 by which the server knows it."""
    text = (Path(__file__).parent / "lua" / f"{name}.lua").read_text()
    # The library's own Script keeps the client that it was made for; here the client is the call's.
    return text, redis.sha1(text)


def run(use: Callable[[Client], T]) -> T:
    """Run `use`, which must be safe to repeat, with the client of the carts' server.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    return redis.call(conf().redis_url, use, refusal=CartsUnavailableError)


def evaluate(name: str, names: Sequence[str], arguments: Sequence[str | int]) -> Any:  # noqa: ANN401 - a script's answer
    """Run the script `name` by its SHA-1; a server that has forgotten it is sent its text.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    text, sha = _script(name)

    def use(client: Client) -> Any:  # noqa: ANN401
        try:
            return client.evalsha(sha, len(names), *names, *arguments)
        except NoScriptError:
            return client.eval(text, len(names), *names, *arguments)

    return run(use)


def _pairs(flat: Sequence[str]) -> Fields:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def read(owner: str) -> Fields:
    """Read a cart's fields: one `HGETALL`. Empty: never written, or lost.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    name = keys.cart(owner)
    return cast("Fields", run(lambda client: client.hgetall(name)))


def read_current(owner: str) -> Fields:
    """Read a cart's fields from a server that may be written to: `HGETALL`, and a write that changes nothing.

    A server that was demoted, or cut off from its replicas, goes on answering reads with carts of some time ago.

    :raises CartsUnavailableError: if the server cannot answer now, or would take no change.
    """
    name = keys.cart(owner)

    def use(client: Client) -> Fields:
        fields, _ = redis.pipeline(client).hgetall(name).hdel(name, "@nothing").execute()
        return cast("Fields", fields)

    return run(use)


def read_version(owner: str) -> int:
    """Read a cart's version alone: one `HGET`. 0: never written, or lost.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    name = keys.cart(owner)
    return int(run(lambda client: client.hget(name, "@version")) or 0)


def read_both(owner: str) -> tuple[Fields, Fields]:
    """Read the fields of a cart and of its saved list: one pipeline.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    names = keys.cart(owner), keys.saved(owner)

    def use(client: Client) -> tuple[Fields, Fields]:
        pipeline = redis.pipeline(client)
        cart, saved = pipeline.hgetall(names[0]).hgetall(names[1]).execute()
        return cart, saved

    return run(use)


def change(
    *,
    owner: str,
    operation_id: str,
    operations: Sequence[Mapping[str, Any]],
    reason: str,
    fingerprint: str = "",
    client_key: str = "",
    expected_version: int | None = None,
    seen_version: int | None = None,
    may_create: bool = False,
    is_forced: bool = False,
    undo: str = "",
) -> Answer:
    """Apply one change, whole or not at all. The operations are those of `lua/change.lua`.

    `operation_id` is made before the first attempt: the same one is applied once. `client_key` with its `fingerprint`
    does the same for a client's own key, for an hour. `is_forced` passes the lock of a payment.

    :raises CartsUnavailableError: if the server cannot answer now; then it may or may not have been applied.
    """
    limits = conf()
    number = keys.partition(owner)
    answer = evaluate(
        "change",
        (
            keys.cart(owner),
            keys.saved(owner),
            keys.undo(owner),
            keys.operation(owner, client_key or operation_id),
            keys.events(number),
        ),
        (
            owner,
            operation_id,
            fingerprint if client_key else "",
            "" if expected_version is None else str(expected_version),
            "" if seen_version is None else str(seen_version),
            ("c" if may_create else "") + ("f" if is_forced else ""),
            limits.ttl_days * DAY_MS,
            limits.saved_ttl_days * DAY_MS,
            limits.max_lines,
            limits.max_quantity,
            limits.max_saved,
            undo,
            reason,
            json.dumps(operations, ensure_ascii=False, separators=(",", ":")),
        ),
    )
    status = answer[0]
    if status == "ok":
        warnings = tuple(json.loads(answer[3]) or ())
        return Answer(status, flags=answer[1], undo=answer[2], warnings=warnings, fields=_pairs(answer[4]))
    if status == "refused":
        return Answer(status, refusals=tuple(json.loads(answer[1])))
    return Answer(status, number=int(answer[1]) if len(answer) > 1 else 0)


def restore(*, owner: str, version: int, cart: Mapping[str, str], saved: Mapping[str, str]) -> bool:
    """Put back a cart and its saved list unless what is there is as new or newer; tell whether it was done.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    limits = conf()
    answer = evaluate(
        "restore",
        (keys.cart(owner), keys.saved(owner), keys.asked(owner)),
        (
            str(version),
            limits.ttl_days * DAY_MS,
            limits.saved_ttl_days * DAY_MS,
            json.dumps(dict(cart), ensure_ascii=False),
            json.dumps(dict(saved), ensure_ascii=False),
        ),
    )
    return bool(answer)


def bury(*, owner: str, version: int) -> bool:
    """Empty a cart and its saved list for good; False if what is there is as new as `version`, or newer.

    What stays, for as long as a cart does, is a mark that refuses changes, as after a merge.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    run(lambda client: client.delete(keys.undo(owner)))
    mark = {"@version": str(version), "@content_version": str(version), "@state": "merged"}
    return restore(owner=owner, version=version, cart=mark, saved={})


def claim_restore(owner: str) -> Literal["mine", "asking", "none"]:
    """Ask for the right to look a missing cart up in PostgreSQL: one caller at a time has it.

    `asking`: another is doing it. `none`: another did a moment ago, there is nothing.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    name = keys.asked(owner)

    def use(client: Client) -> Literal["mine", "asking", "none"]:
        pipeline = redis.pipeline(client)
        is_mine, state = pipeline.set(name, "asking", nx=True, px=ASKING_MS).get(name).execute()
        return "mine" if is_mine else "none" if state == "none" else "asking"

    return run(use)


def remember_none(owner: str) -> None:
    """Remember for a while that PostgreSQL holds nothing for this owner.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    name = keys.asked(owner)
    run(lambda client: client.set(name, "none", px=NONE_MS))


def freeze(*, owner: str, into: str, merge_id: str, policy: str) -> Frozen:
    """Begin to merge a guest's cart into the customer's cart `into` (an owner such as `u:42`); safe to repeat.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    answer = evaluate("freeze", (keys.cart(owner), keys.saved(owner)), (into, merge_id, policy))
    match answer[0]:
        case "frozen":
            return Frozen("frozen", answer[1], answer[2], cart=_pairs(answer[3]), saved=_pairs(answer[4]))
        case "merged":
            return Frozen("merged", answer[1], receipt=answer[2])
        case "locked":
            return Frozen("locked", seconds=int(answer[1]))
        case status:
            return Frozen(status)


def tombstone(*, owner: str, merge_id: str, receipt: str) -> bool:
    """End a merge: empty the guest's cart for good, leave the receipt; tell whether it was this call that did it.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    names = keys.cart(owner), keys.saved(owner), keys.undo(owner), keys.events(keys.partition(owner))
    return bool(evaluate("tombstone", names, (owner, merge_id, receipt, conf().ttl_days * DAY_MS)))


def lock(*, owner: str, checkout_id: str, seconds: int) -> str:
    """Lock a cart for its payment: `ok`, `absent`, or `locked` by another checkout.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    return str(evaluate("lock", (keys.cart(owner),), (checkout_id, seconds)))


def unlock(*, owner: str, checkout_id: str) -> bool:
    """Take this checkout's lock off; tell whether there was one.

    :raises CartsUnavailableError: if the server cannot answer now.
    """
    return bool(evaluate("unlock", (keys.cart(owner),), (checkout_id,)))
