"""`make peers`: the cart beside django-oscar's in one run, write docs/peers.md.

Oscar is installed into an environment of its own in a temporary folder, set up as its documentation says, and served by
the same web server with as many processes and threads, from the same PostgreSQL and Redis. Needs wrk and the package
index.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path

import psycopg

from tests.bench import stack
from tests.bench.__main__ import alternate, make_cart, plentiful_skus
from tests.bench.load import Rate, Request
from tests.ports import free_port

REPORT = stack.ROOT / "docs" / "peers.md"
OSCAR = Path(__file__).resolve().parent / "oscar"
LINES = 10
PRODUCTS = 30
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that both do, the two requests for it, and how many times as fast it is meant to be here."""

    name: str
    ours: Request
    theirs: Request
    goal: int


@contextmanager
def oscar_running(environment: Mapping[str, str]) -> Iterator[str]:
    """Run Oscar beside the shop, on its servers, while the block lasts; give its URL without a slash at the end.

    :raises subprocess.CalledProcessError: if it cannot be installed or set up.
    :raises RuntimeError: if it does not start.
    """
    with ExitStack() as later, tempfile.TemporaryDirectory(prefix="trolley-oscar-") as folder:
        python = str(Path(folder) / "bin" / "python")
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement", str(OSCAR / "requirements.txt")]
        subprocess.run(install, check=True)
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE DATABASE oscar")
            at = connection.info
            where = {"NAME": "oscar", "USER": at.user, "PASSWORD": at.password, "HOST": at.host, "PORT": at.port}
        own = {
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": str(OSCAR),
            "OSCAR_DATABASE": json.dumps(where),
            "OSCAR_MEDIA": str(Path(folder) / "media"),
            "CACHE_URL": environment["CACHE_URL"],
        }
        seed = [python, str(OSCAR / "seed.py"), str(PRODUCTS)]
        subprocess.run(seed, check=True, env={**os.environ, **own}, stderr=subprocess.DEVNULL)
        port = free_port()
        _, *argv = stack.granian(port, "wsgi:application")
        stack.begin(later, "oscar", (python, *argv), own)
        stack.wait_for(f"http://127.0.0.1:{port}/api/")
        yield f"http://127.0.0.1:{port}"


def _oscar_cart(url: str) -> tuple[str, str]:
    """Fill a guest's cart with `LINES` lines; give the cookies that name it, and the URL of its lines."""
    cookies = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    lines = ""
    for number in range(1, LINES + 1):
        body = json.dumps({"url": f"{url}/api/products/{number}/", "quantity": 1}).encode()
        with opener.open(urllib.request.Request(f"{url}/api/basket/add-product/", data=body, headers=JSON)) as answer:
            lines = json.load(answer)["lines"]
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies), lines


def _compared(shop: str, oscar: str) -> tuple[Compared, ...]:
    sku_ids = plentiful_skus(shop)
    session, changed = (make_cart(shop, sku_ids[:LINES]) for _ in range(2))
    (cookies, lines), (other, _) = _oscar_cart(oscar), _oscar_cart(oscar)
    quantities = tuple(json.dumps({"quantity": n}) for n in range(1, 9))
    added = json.dumps({"url": f"{oscar}/api/products/1/", "quantity": 1})
    return (
        Compared(
            "change a line of a cart of ten (API)",
            Request(f"{shop}/api/v1/cart/items/{sku_ids[0]}", "PUT", {**JSON, "Cart-Session": changed}, quantities),
            Request(f"{oscar}/api/basket/add-product/", "POST", {**JSON, "Cookie": other}, (added,)),
            30,
        ),
        Compared(
            "page of a cart of ten lines",
            Request(f"{shop}/cart/", headers={"Cookie": f"cart_session={session}"}),
            Request(f"{oscar}/basket/", headers={"Cookie": cookies}),
            15,
        ),
        Compared(
            "its lines with prices (API)",
            Request(f"{shop}/api/v1/cart?expand=items.price,totals", headers={"Cart-Session": session}),
            Request(lines, headers={"Cookie": cookies}),
            20,
        ),
    )


def report(compared: tuple[Compared, ...], rates: Mapping[str, Rate], seconds: int) -> str:
    """Write what was seen as a page.

    :raises RuntimeError: if Oscar answered nothing.
    """
    versions = ", ".join((OSCAR / "requirements.txt").read_text(encoding="utf-8").split("\n")[1:3])
    today = datetime.now(tz=UTC).date()
    lines = [
        "# Beside django-oscar",
        "",
        (
            "Written by `make peers`. Both shops run in one run on one machine, behind the same web server, from "
            "the same PostgreSQL and Redis; requests per second of 16 connections, the median of three runs in turn. "
            "Oscar is set up as its documentation says ([tests/bench/oscar](../tests/bench/oscar)); a shop with it can "
            "be made faster, as any can. The change is “add one unit” there and “set the quantity” here."
        ),
        "",
        (
            f"{today}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {versions}; "
            f"granian, {stack.WORKERS} processes of {stack.THREADS} threads; {seconds} s each run."
        ),
        "",
        "| | Trolley | django-oscar | ratio | goal | met |",
        "|---|---|---|---|---|---|",
    ]
    for one in compared:
        ours, theirs = rates[f"Trolley: {one.name}"], rates[f"Oscar: {one.name}"]
        if not theirs.per_second:
            msg = f"Oscar did not answer: {one.name}"
            raise RuntimeError(msg)
        ratio = ours.per_second / theirs.per_second
        met = "yes" if ratio >= one.goal and not ours.errors else "**no**"
        failed = f" ({theirs.errors} failed or took over 2 s)" if theirs.errors else ""
        lines.append(
            f"| {one.name} | {ours.per_second:,.0f}/s | {theirs.per_second:,.0f}/s{failed} "
            f"| {ratio:.0f} × | ≥ {one.goal} × | {met} |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure; return 0, also where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="make peers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long each run of a case takes")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk): nothing was measured.")  # noqa: T201
        return 0
    with stack.running(server="granian", background=True) as running, oscar_running(running.environment) as oscar:
        compared = _compared(running.shop, oscar)
        cases: dict[str, Request] = {}
        for one in compared:
            cases |= {f"Trolley: {one.name}": one.ours, f"Oscar: {one.name}": one.theirs}
        rates = alternate(cases, seconds=options.seconds)
    REPORT.write_text(report(compared, rates, options.seconds), encoding="utf-8")
    print(REPORT.read_text(encoding="utf-8"))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
