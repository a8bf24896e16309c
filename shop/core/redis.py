"""Connections to Redis: one factory, short time-outs, and a breaker so that a frozen server costs one time-out.

Nothing here knows a key. Apps call `call` with what they want done and get its result or an `UnavailableError`.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis, RedisCluster, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shop.core.errors import UnavailableError

T = TypeVar("T")
Client: TypeAlias = "Redis | RedisCluster"

TIMEOUT_SECONDS = 0.5
CLUSTER_PREFIX = "redis+cluster://"
SENTINEL_PREFIX = "redis+sentinel://"
SENTINEL_PORT = 26_379
BREAK_SECONDS = 2.0
"""How long nobody asks a server that did not answer in time; then one caller tries it."""
RETRY_AFTER_SECONDS = 5
_OWN = ("127.0.0.1", "[::1]")

_GONE = (
    exceptions.ConnectionError,  # also LOADING and wrong passwords
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.ClusterError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
    exceptions.TryAgainError,
    exceptions.AskError,
    exceptions.MovedError,
)
_GONE_WORDS = ("OOM ", "READONLY ", "MISCONF ", "NOREPLICAS ", "LOADING ")
"""Inside a script these errors arrive as plain text on older servers."""


@lru_cache(maxsize=16)
def client(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Client:
    """Connect (lazily) to the server at `url`.

    `redis://`, `rediss://`, `unix://`; `redis+cluster://host:port` for a cluster;
    `redis+sentinel://[:password@]host:port,host:port/name/db` for whichever server Sentinel says is the master.

    The library repeats nothing by itself: a repeated call is safe only where it carries an operation id, and `call`
    decides that. The same arguments give the same client, with its pool, for the life of the process.
    """
    if url.startswith(CLUSTER_PREFIX):
        return RedisCluster.from_url(
            "redis://" + url.removeprefix(CLUSTER_PREFIX),
            socket_timeout=timeout_seconds,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),  # a moved slot is looked up once; every script carries an operation id
            decode_responses=True,
        )
    if url.startswith(SENTINEL_PREFIX):
        return _master(url, timeout_seconds)
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def place_of(url: str) -> tuple[str, str]:
    """Tell which server and which of its databases a URL means, however it is spelt: ours, Django's or Celery's.

    A password and TLS make no difference, nor do the three names of one's own machine and what may be left out.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    named = asked.get("db", asked.get("virtual_host", [""]))[0]
    if not parts.netloc or parts.scheme in ("unix", "redis+socket"):
        return parts.path, named.strip("/") or "0"
    hosts = []
    for address in parts.netloc.rpartition("@")[2].lower().split(","):
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            host, port = address, "6379"
        hosts.append(f"{'localhost' if host in _OWN else host}:{port}")
    return ",".join(sorted(hosts)), parts.path.strip("/") or named or "0"


def _master(url: str, timeout_seconds: float) -> Redis:
    """Ask Sentinel for the master with every new connection."""
    parts = urlsplit(url)
    name, _, database = parts.path.strip("/").partition("/")
    addresses = [host.partition(":")[::2] for host in parts.netloc.rpartition("@")[2].split(",")]
    times = {"socket_timeout": timeout_seconds, "socket_connect_timeout": TIMEOUT_SECONDS}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # the library's
        [(host, int(port or SENTINEL_PORT)) for host, port in addresses],
        sentinel_kwargs={"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS},
        retry=Retry(NoBackoff(), 0),
        **times,
    )
    password = unquote(parts.password) if parts.password else None
    master: Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        name, db=int(database or 0), password=password, decode_responses=True
    )
    return master


@dataclass(slots=True)
class _Breaker:
    """Remembers until when a server is left alone."""

    closed_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def may_ask(self) -> bool:
        """Tell whether the caller may ask; after the break one caller at a time tries."""
        if not self.closed_at:
            return True
        with self.lock:
            if time.monotonic() < self.closed_at:
                return False
            self.closed_at = time.monotonic() + BREAK_SECONDS
            return True

    def trip(self) -> None:
        """Leave the server alone for a while."""
        self.closed_at = time.monotonic() + BREAK_SECONDS

    def mend(self) -> None:
        """Ask the server again: it answered."""
        self.closed_at = 0.0


@lru_cache(maxsize=16)
def _breaker(url: str) -> _Breaker:
    return _Breaker()


def _forget_connections(url: str) -> None:
    """Close the pool of a server that was demoted: the next call connects to whoever is in charge by then."""
    server = client(url)
    if isinstance(server, Redis):
        server.connection_pool.disconnect()


def is_unavailable(error: Exception) -> bool:
    """Tell whether an exception of the library means that the server cannot do it now, rather than a bug of ours."""
    if isinstance(error, _GONE):
        return True
    return isinstance(error, exceptions.ResponseError) and any(word in f"{error} " for word in _GONE_WORDS)


def call(url: str, use: Callable[[Client], T], *, refusal: type[UnavailableError] = UnavailableError) -> T:
    """Run `use` with the client of `url`.

    `use` must be safe to repeat: after a lost connection (such as a pooled one that the server closed when it was
    restarted) it is run once more. After a time-out it is not, and the server is left alone for `BREAK_SECONDS`.

    :raises UnavailableError: (or the given kind of it) if the server cannot answer, is read-only, loading or full.
    """
    breaker = _breaker(url)
    if not breaker.may_ask():
        raise refusal(retry_after_seconds=RETRY_AFTER_SECONDS)
    try:
        server = client(url)
        try:
            result = use(server)
        except exceptions.BusyLoadingError:
            raise
        except exceptions.ConnectionError:
            result = use(server)
    except exceptions.RedisError as error:
        if not is_unavailable(error):
            breaker.mend()
            raise
        if isinstance(error, exceptions.TimeoutError):
            breaker.trip()
        else:
            breaker.mend()
        if isinstance(error, exceptions.ReadOnlyError):
            _forget_connections(url)
        raise refusal(retry_after_seconds=RETRY_AFTER_SECONDS) from error
    if breaker.closed_at:
        breaker.mend()
    return result


def sha1(script: str) -> str:
    """Name a script as Redis does (`EVALSHA`): SHA-1, which protects nothing here."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def is_cluster(server: Client) -> bool:
    """Tell whether a client speaks to a cluster, where keys of different slots do not mix in one command."""
    return isinstance(server, RedisCluster)


def pipeline(server: Client) -> Any:  # noqa: ANN401 - its commands give it back, which the library's types do not say
    """Open a pipeline, not a transaction; execute it in the same function."""
    return server.pipeline() if isinstance(server, RedisCluster) else server.pipeline(transaction=False)  # type: ignore[no-untyped-call]


def mend(url: str) -> None:
    """Forget that the server at `url` did not answer; for tests and for whoever has just repaired it."""
    _breaker(url).mend()
