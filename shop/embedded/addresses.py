"""Where the servers are: the four URLs, and how a running demo tells them to commands beside it. Knows no Django."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

NAMES = ("DATABASE_URL", "CART_REDIS_URL", "CACHE_URL", "CELERY_BROKER_URL")
REDIS_DATABASES_A_WORKER = 3
# A socket's path may be 107 bytes (103 on macOS); PostgreSQL appends `/.s.PGSQL.5432.lock`.
_LONGEST_SOCKET_DIRECTORY = 80


@dataclass(frozen=True, slots=True)
class Addresses:
    """One URL a purpose; each may be another server."""

    database_url: str
    cart_redis_url: str
    cache_url: str
    celery_broker_url: str

    def environment(self) -> dict[str, str]:
        """Give the addresses as environment variables."""
        return {name: getattr(self, name.lower()) for name in NAMES}


def in_directory(sockets: str | Path, *, database: str = "trolley") -> Addresses:
    """Give the addresses of embedded servers whose sockets are in the directory."""
    path = quote(str(sockets))
    return Addresses(
        database_url=f"postgres://postgres@/{database}?host={path}",
        cart_redis_url=f"unix://{path}/redis.sock?db=0",
        cache_url=f"unix://{path}/redis.sock?db=1",
        celery_broker_url=f"redis+socket://{path}/redis.sock?virtual_host=2",
    )


def chosen(named: Mapping[str, str], otherwise: Addresses | None) -> Addresses:
    """Take each named address, and the other one's where the name is empty or absent."""
    rest = otherwise or in_directory("/nowhere")
    return replace(rest, **{name.lower(): named[name] for name in NAMES if named.get(name)})


def nowhere(named: Mapping[str, str]) -> Addresses:
    """Give addresses that nobody answers, for commands that ask nobody."""
    return chosen(named, None)


def for_worker(addresses: Addresses, worker: int) -> Addresses:
    """Move the Redis databases on, so that each of several test workers has three of its own."""
    by = worker * REDIS_DATABASES_A_WORKER
    return replace(
        addresses,
        cart_redis_url=_moved(addresses.cart_redis_url, by),
        cache_url=_moved(addresses.cache_url, by),
        celery_broker_url=_moved(addresses.celery_broker_url, by),
    )


def _moved(url: str, by: int) -> str:
    address, _, text = url.partition("?")
    query = dict(parse_qsl(text))
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss") and "db" not in query:
        parts = urlsplit(address)
        moved = f"/{int(parts.path.strip('/') or 0) + by}"
        return urlunsplit(parts._replace(path=moved)) + (f"?{text}" if text else "")
    if scheme in ("unix", "redis", "rediss", "redis+socket"):
        key = "virtual_host" if scheme == "redis+socket" else "db"
        query[key] = str(int(query.get(key, "0")) + by)
        return f"{address}?{urlencode(query)}"
    return url


def socket_directory(data_dir: Path) -> Path:
    """Choose where the sockets of a demo lie: beside its data, or in a short place if that path is too long."""
    beside = data_dir / "run"
    if len(os.fsencode(beside)) <= _LONGEST_SOCKET_DIRECTORY:
        return beside
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"trolley-{os.getuid()}-{digest}"


def test_directory(pid: int) -> Path:
    """Name the directory of one test session's servers: short, and the session's own."""
    root = Path(tempfile.gettempdir())
    if len(os.fsencode(root)) > _LONGEST_SOCKET_DIRECTORY // 2:
        root = Path("/tmp")  # noqa: S108 - the directory is made with mode 0700 and its owner checked
    return root / f"trolley-test-{os.getuid()}-{pid}"


def write(data_dir: Path, addresses: Addresses) -> None:
    """Tell commands beside the demo where its servers are; readable by this user only, since URLs hold passwords."""
    path = data_dir / "servers.json"
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(addresses), indent=1))
    draft.replace(path)


def read(data_dir: Path) -> Addresses | None:
    """Read what a running demo wrote; `None` if no demo holds the directory, whatever an ended one left there."""
    if not is_locked(data_dir):
        return None
    try:
        return Addresses(**json.loads((data_dir / "servers.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_locked(data_dir: Path) -> bool:
    """Say whether a living demo holds the directory. The lock is the kernel's, so a killed one holds nothing."""
    try:
        with (data_dir / "demo.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
