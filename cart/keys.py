"""Names of the cart's keys in Redis. The braces are the cluster's hash tag: all keys of one cart lie in one slot."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from redis.crc import key_slot

from cart.conf import conf

RECORDER = "cart_recorder"
"""Name of the string with the recorder's last sign of life, JSON."""
STALE = "cart_recorder_stale"
"""Name of the string that counts what recorders wrote too late: snapshots that met a record as new or newer."""
EPOCH = "cart_epoch"
"""Name of the string with the run id of the server when carts were last compared with their records."""


@lru_cache(maxsize=65_536)
def _partition(owner: str, partitions: int) -> int:
    return key_slot(owner.encode(), partitions)


def partition(owner: str) -> int:
    """Tell the partition of an owner: CRC16 of `u:42` or `g:9f…`, modulo `CART_PARTITIONS`."""
    return _partition(owner, conf().partitions)


def cart(owner: str) -> str:
    """Name the hash of a cart."""
    return f"cart:{{{partition(owner)}}}:{owner}"


def saved(owner: str) -> str:
    """Name the hash of a saved list."""
    return f"cart_saved:{{{partition(owner)}}}:{owner}"


def undo(owner: str) -> str:
    """Name the hash of undo tokens and what their changes took away."""
    return f"cart_undo:{{{partition(owner)}}}:{owner}"


def operation(owner: str, operation_id: str) -> str:
    """Name the string with the answer to a client's keyed operation. Only the key's hash enters the name."""
    digest = hashlib.sha256(operation_id.encode()).hexdigest()[:32]
    return f"cart_op:{{{partition(owner)}}}:{owner}:{digest}"


def asked(owner: str) -> str:
    """Name the string that says whether PostgreSQL was asked for this cart: `asking` or `none`."""
    return f"cart_asked:{{{partition(owner)}}}:{owner}"


def events(number: int) -> str:
    """Name the stream of a partition: one event an applied change of its carts."""
    return f"cart_events:{{{number}}}"
