"""What the recorders tell of themselves, kept in Redis: a sign of life, and how many snapshots came too late."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cart import keys, store

SIGN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Sign:
    """A recorder's sign of life."""

    at_micros: int
    waiting: int
    oldest_seconds: float


def give_sign(sign: Sign) -> None:
    """Leave a sign of life for a minute.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    text = json.dumps([sign.at_micros, sign.waiting, sign.oldest_seconds])
    store.run(lambda client: client.set(keys.RECORDER, text, ex=SIGN_SECONDS))


def read_sign() -> Sign | None:
    """Read the last sign of life; None if there was none within a minute.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    text = store.run(lambda client: client.get(keys.RECORDER))
    return Sign(*json.loads(str(text))) if text else None


def count_stale(number: int) -> None:
    """Add to the number of snapshots that met a record as new or newer.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    store.run(lambda client: client.incrby(keys.STALE, number))


def read_stale() -> int:
    """Tell that number, since Redis last lost everything.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    return int(str(store.run(lambda client: client.get(keys.STALE)) or 0))
