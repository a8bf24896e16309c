"""P8 and P9: a change in the store, the recorder's speed and lag, and what carts take in memory.

`python -m tests.bench.carts` runs it alone, on private servers; `make bench` takes it in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import django
import redis

from shop.embedded import servers

ROOT = Path(__file__).resolve().parents[2]
LINES = 5
PIPE = 500
MEGA = 1_000_000
SCRIPTED = 20_000
"""So many carts are made by the change script; further ones are copies of them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    carts: int
    copied: int
    """How many of them are copies (DUMP and RESTORE) of carts that the script made."""
    change_ms: float
    """Median of one change of one line, inside the store function."""
    memory_bytes: float
    """Of a five-line cart, all told, when its events are recorded and trimmed."""
    backlog: int
    backlog_seconds: float
    lag_p95_ms: float
    lag_changes_per_second: float


def _operations(first: int) -> list[dict[str, Any]]:
    line = {"op": "set", "quantity": 2, "price": "1400", "currency": "GBP", "buyable": 99}
    return [{**line, "sku": f"SKU-{first + n:05d}"} for n in range(LINES)]


def _fill(carts: int) -> None:
    """Make carts of five lines each, in one call of the script each."""
    from cart import store  # noqa: PLC0415 - after django.setup()

    for number in range(carts):
        store.change(
            owner=f"u:{number + 1}",
            operation_id=f"a{number}",
            operations=_operations(number % 9_000),
            reason="patch",
            may_create=True,
        )


def _copy(carts: int, *, first: int) -> None:
    """Fill up to so many carts with copies of those that the script made: the same bytes, many times as fast."""
    from cart import keys, store  # noqa: PLC0415
    from cart.conf import conf  # noqa: PLC0415

    life = conf().ttl_days * store.DAY_MS

    def copy(client: Any) -> None:
        # A client of its own: what DUMP gives is no text.
        with redis.Redis(connection_pool=_raw_pool(client)) as raw:
            pipe = raw.pipeline(transaction=False)
            for number in range(PIPE):
                pipe.dump(keys.cart(f"u:{number + 1}"))
            dumps = pipe.execute()
            for number in range(first, carts):
                pipe.restore(keys.cart(f"u:{number + 1}"), life, dumps[number % PIPE])
                if number % PIPE == PIPE - 1:
                    pipe.execute()
            pipe.execute()

    store.run(copy)


def _raw_pool(client: Any) -> Any:
    options = {**client.connection_pool.connection_kwargs, "decode_responses": False, "socket_timeout": 30}
    return redis.ConnectionPool(connection_class=client.connection_pool.connection_class, **options)


def _time_changes(carts: int) -> float:
    """Give the median time of a change of one line, of carts all over, in ms."""
    from cart import store  # noqa: PLC0415

    times: list[float] = []
    step = max(carts // 2_000, 1)
    for number in range(0, 2_000 * step, step):
        began = time.perf_counter()
        line = {**_operations(number % SCRIPTED % 9_000)[0], "quantity": 3}
        store.change(
            owner=f"u:{number % carts + 1}", operation_id=f"b{number}", operations=[line], reason="set", may_create=True
        )
        times.append(time.perf_counter() - began)
    return median(times) * 1_000


def _pile_up(events: int) -> None:
    """Put events into the streams as the script does, faster than it could: as after an outage of the recorder."""
    from cart import keys, store  # noqa: PLC0415

    lines = {f"SKU-{n:05d}": f"2 1400 GBP {1_700_000_000_000_000 + n}" for n in range(LINES)}
    content = {"lines": lines, "saved": {}, "marks": {}, "state": "active"}
    base = time.time_ns() // 1_000

    def add(client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        for number in range(events):
            owner, version = f"u:{number % 20_000 + 1}", str(base + number)
            snapshot = json.dumps({**content, "content_version": version, "last_activity_at": version})
            fields = {"owner": owner, "version": version, "reason": "set", "undone": "", "snapshot": snapshot}
            pipe.xadd(keys.events(keys.partition(owner)), fields)
            if number % PIPE == PIPE - 1:
                pipe.execute()
        pipe.execute()

    store.run(add)


def _lag(seconds: float, per_second: int) -> tuple[float, float]:
    """Change carts at a steady rate beside a recorder of its own; give the lag's 95th percentile in ms and the rate."""
    from cart import store  # noqa: PLC0415
    from cart.models import CartRecord  # noqa: PLC0415

    first = 10_000_000
    recorder = subprocess.Popen(
        [sys.executable, "manage.py", "record_cart_events"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    recorder.stdout.readline()
    time.sleep(1)
    began, count = time.perf_counter(), int(seconds * per_second)
    for number in range(count):
        pause = began + number / per_second - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        store.change(
            owner=f"u:{first + number}",
            operation_id=f"c{number}",
            operations=_operations(number % 9_000),
            reason="patch",
            may_create=True,
        )
    rate = count / (time.perf_counter() - began)
    records = CartRecord.objects.filter(user_id__gte=first)
    _until(lambda: records.count() == count)
    recorder.terminate()
    recorder.wait(timeout=20)
    lags = [(done - at).total_seconds() for done, at in records.values_list("recorded_at", "last_activity_at")]
    return quantiles(lags, n=20)[-1] * 1_000, rate


def _until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.1)


def _used_memory() -> int:
    from cart import store  # noqa: PLC0415

    return int(store.run(lambda client: client.info("memory")["used_memory"]))


def measure(*, carts: int, backlog: int) -> Figures:
    """Measure on the servers of this process's environment."""
    from cart import recorder  # noqa: PLC0415

    before = _used_memory()
    scripted = min(carts, SCRIPTED)
    _fill(scripted)
    recorder.drain()
    _copy(carts, first=scripted)
    memory = (_used_memory() - before) / carts
    change_ms = _time_changes(carts)
    _pile_up(backlog)
    began = time.perf_counter()
    recorder.drain()
    took = time.perf_counter() - began
    lag, rate = _lag(6, 300)
    return Figures(carts, carts - scripted, change_ms, memory, backlog, took, lag, rate)


def run(*, carts: int, backlog: int) -> Figures:
    """Start private servers, measure in a process of its own, and stop them."""
    with tempfile.TemporaryDirectory(prefix="trolley-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        with servers.running(path / "servers") as addresses:
            environment = {
                **os.environ,
                **addresses.environment(),
                "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
                "DEBUG": "false",
                "LOG_LEVEL": "ERROR",
                "DATA_DIR": str(path / "data"),
            }
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            argv = [sys.executable, "-m", "tests.bench.carts", "--inside", f"--carts={carts}", f"--backlog={backlog}"]
            done = subprocess.run(argv, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return Figures(**json.loads(done.stdout))


def report(found: Figures) -> list[str]:
    """Put the figures into lines of Markdown."""
    each = found.backlog / found.backlog_seconds
    copies = f", {found.copied:,} of them copies of what the script made" if found.copied else ""
    million = found.memory_bytes * MEGA / 1e9
    return [
        "## Carts",
        "",
        f"- One change inside the store function, local socket: median **{found.change_ms:.2f} ms** (goal: 0.3).",
        (
            f"- P8, write-through: **{each:,.0f} events/s** by one recorder, history included (goal: 5,000); "
            f"a backlog of {found.backlog:,} in {found.backlog_seconds:.1f} s (goal: 100,000 in 30 s); lag p95 "
            f"**{found.lag_p95_ms:.0f} ms** at {found.lag_changes_per_second:.0f} changes/s (goal: 250)."
        ),
        (
            f"- P9, memory of Redis: **{found.memory_bytes:,.0f} bytes** a cart of {LINES} lines, its events recorded, "
            f"measured over {found.carts:,} carts{copies} (goal: 1,024); so a million carts take {million:.2f} GB "
            "(goal: 1.2)."
        ),
        "",
    ]


def main() -> None:
    """Run alone, or inside of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carts", type=int, default=20_000, help="1000000 takes a minute or two and 0.5 GB")
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        django.setup()
        print(json.dumps(asdict(measure(carts=options.carts, backlog=options.backlog))))  # noqa: T201
    else:
        print(*report(run(carts=options.carts, backlog=options.backlog)), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
