"""Guests' carts behind an edge cache: what the shop says to it, and Debian's nginx with the project's configuration."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from cart import services
from cart.types import CartRef
from shop.accounts.models import User
from shop.core.ids import hash_token
from tests.api.helpers import sell
from tests.cart.helpers import NOW
from tests.conftest import ROOT, RunProcess
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
NJS = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")
MUG = "/api/v1/cart/items/MUG"
GUESTS = 50


@pytest.fixture
def visitor(db: None, settings: Settings) -> Client:
    """Give a guest's browser with two units in the cart, in a shop that stands behind an edge."""
    settings.CART = replace(settings.CART, edge_cache=True)
    settings.MIDDLEWARE = ["cart.middleware.edge_vary", *settings.MIDDLEWARE]
    sell("MUG", on_hand=500)
    client = Client()
    put(client, 2)
    return client


def put(client: Client, quantity: int) -> None:
    """Set the one line."""
    answer = client.put(
        MUG, {"quantity": quantity}, content_type="application/json", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code in (200, 201), answer.content


def key_of(client: Client, version: str = "") -> str:
    """Make the key as the edge does."""
    return f"{hash_token(client.cookies['cart_session'].value)}:{version or client.cookies['cart_v'].value}"


# ---------------------------------------------------------------- what the shop says


@pytest.mark.parametrize("path", ["/api/v1/cart", "/api/v1/cart/count"])
def test_the_present_version_under_a_true_key_may_be_kept_and_sets_no_cookie(visitor: Client, path: str) -> None:
    answer = visitor.get(path, headers={"X-Cart-Key": key_of(visitor)})
    assert answer.headers["CDN-Cache-Control"] == "max-age=15"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "X-Cart-Key"
    assert not answer.cookies

    again = visitor.get(path, headers={"X-Cart-Key": key_of(visitor), "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.headers["CDN-Cache-Control"]) == (304, "max-age=15")


@pytest.mark.parametrize("path", ["/api/v1/cart", "/api/v1/cart/count"])
def test_another_version_is_not_kept_and_the_cookie_corrected(visitor: Client, path: str) -> None:
    stale = visitor.cookies["cart_v"].value
    tag = visitor.get(path).headers["ETag"]
    token = visitor.cookies["cart_session"].value
    services.set_quantity(ref=CartRef("g", hash_token(token)), sku_id="MUG", quantity=5, now=NOW)
    for more in ({}, {"If-None-Match": tag}):
        visitor.cookies["cart_v"] = stale
        answer = visitor.get(path, headers={"X-Cart-Key": key_of(visitor, stale), **more})
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "CDN-Cache-Control" not in answer.headers
        assert f'"c{answer.cookies["cart_v"].value}"' == answer.headers["ETag"] != tag
        assert answer.cookies["cart_n"].value == "5"
    kept = visitor.get(path, headers={"X-Cart-Key": key_of(visitor)})
    assert kept.headers["CDN-Cache-Control"] == "max-age=15"


def test_what_is_not_a_guests_minimal_cart_under_its_own_key_is_never_kept(visitor: Client, settings: Settings) -> None:
    other = Client()
    put(other, 1)
    right = key_of(visitor)
    token = visitor.cookies["cart_session"].value
    user = User.objects.create_user("ada@example.com", "trolley-demo-1")
    for path, headers in (
        ("/api/v1/cart", {}),
        ("/api/v1/cart", {"X-Cart-Key": key_of(other)}),
        ("/api/v1/cart", {"X-Cart-Key": right + "0"}),
        ("/api/v1/cart", {"X-Cart-Key": right, "Cart-Session": token}),
        ("/api/v1/cart?expand=page", {"X-Cart-Key": right}),
        ("/api/v1/saved-items", {"X-Cart-Key": right}),
    ):
        answer = visitor.get(path, headers=headers)
        assert "CDN-Cache-Control" not in answer.headers, (path, headers)
        assert answer.headers["Cache-Control"] == "private, no-cache"
    visitor.force_login(user)
    assert "CDN-Cache-Control" not in visitor.get("/api/v1/cart", headers={"X-Cart-Key": right}).headers
    visitor.cookies.pop("sessionid")
    assert "CDN-Cache-Control" in visitor.get("/api/v1/cart", headers={"X-Cart-Key": right}).headers
    settings.CART = replace(settings.CART, edge_cache=False)
    answer = visitor.get("/api/v1/cart", headers={"X-Cart-Key": right})
    assert "CDN-Cache-Control" not in answer.headers


# ---------------------------------------------------------------- with nginx


@dataclass(slots=True)
class Guest:
    """A browser of its own behind nginx: one connection, its cookies."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, data: object = None, **headers: str) -> tuple[Any, dict[str, str]]:
        """Ask; give the body and the headers by lower-case name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            sent |= {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            sent |= {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"} if data is not None else {}
            connection.request(method, path, json.dumps(data) if data is not None else None, sent)
            answer = connection.getresponse()
            for value in answer.headers.get_all("Set-Cookie", []):
                self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(value).items()})
            content = answer.read()
            assert answer.status < 400, (answer.status, content)
            return json.loads(content), {name.lower(): value for name, value in answer.headers.items()}
        finally:
            connection.close()

    def put(self, quantity: int) -> None:
        """Set the one line."""
        self("PUT", MUG, {"quantity": quantity})

    def read(self, path: str = "/api/v1/cart") -> tuple[int, str]:
        """Tell how many units are in the cart, and what the cache said."""
        body, headers = self("GET", path)
        units = body["units"] if "units" in body else sum(line["quantity"] for line in body["items"])
        return units, headers["x-cache-status"]


@pytest.fixture
def edge(run_process: RunProcess, tmp_path: Path) -> Iterator[int]:
    """Run the shop behind nginx with the project's own configuration, and give nginx's port."""
    if not Path(NGINX).exists() or not NJS.exists():
        pytest.skip(f"no {NGINX} with {NJS}: install nginx and libnginx-mod-http-js")
    port, origin = free_port(), free_port()
    shutil.copytree(ROOT / "deploy" / "nginx", tmp_path / "trolley")
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("trolley.conf", "cart_cache.conf"):
        path = tmp_path / "trolley" / name
        text = path.read_text().replace("/etc/nginx/trolley", str(tmp_path / "trolley"))
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{origin}").replace("listen 80", f"listen 127.0.0.1:{port}")
        text = text.replace("/var/log/nginx", str(tmp_path))
        path.write_text(text.replace("/var/cache/nginx/trolley", str(cache)))
    own = tmp_path.owner()
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"load_module {NJS};\ndaemon off;\npid {tmp_path}/nginx.pid;\nerror_log stderr warn;\n"
        + (f"user {own};\n" if own == "root" else "")
        + "worker_processes 1;\nevents { worker_connections 512; }\n"
        + f"http {{ access_log off;\n{_own_directories(tmp_path)}include {tmp_path}/trolley/trolley.conf; }}\n"
    )
    argv = ["python", "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(origin)]
    argv += ["--workers", "1", "--blocking-threads", "4", "--log-level", "warning", "shop.wsgi:application"]
    environment = {"CART_EDGE_CACHE": "1", "BASE_URL": f"http://127.0.0.1:{port}", "API_CART_WRITES_PER_MINUTE": "0"}
    with (
        run_process(argv, env=environment, grace_seconds=3),
        run_process([NGINX, "-c", str(config), "-p", str(tmp_path)], grace_seconds=3) as nginx,
    ):
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                Guest(port)("GET", "/api/v1/cart/count")
                break
            except (OSError, AssertionError, http.client.HTTPException):
                assert time.monotonic() < until, nginx.output()
                time.sleep(0.1)
        yield port


def _own_directories(root: Path) -> str:
    return "".join(
        f"{name}_temp_path {root}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )


@pytest.mark.fault
def test_nginx_keeps_a_guests_cart_until_it_changes_and_gives_it_to_nobody_else(edge: int) -> None:
    sell("MUG", on_hand=5_000)
    guest, other = Guest(edge), Guest(edge)
    guest.put(2)
    other.put(7)

    # Hit, without the shop; a write makes the next read a miss, without a purge.
    for path in ("/api/v1/cart", "/api/v1/cart/count"):
        assert [guest.read(path) for _ in range(3)] == [(2, "MISS"), (2, "HIT"), (2, "HIT")]
        assert [other.read(path) for _ in range(2)] == [(7, "MISS"), (7, "HIT")]
    guest.put(3)
    assert [guest.read() for _ in range(2)] == [(3, "MISS"), (3, "HIT")]
    assert other.read() == (7, "HIT")

    # Nothing kept tells a cookie or a secret, and the browser is told to ask again.
    body, headers = guest("GET", "/api/v1/cart")
    assert headers["x-cache-status"] == "HIT"
    assert "set-cookie" not in headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "X-Cart-Key"
    assert guest.cookies["cart_session"] not in json.dumps(body)

    # Changed behind the browser's back (another device): within the 15 s, then corrected, once.
    services.set_quantity(
        ref=CartRef("g", hash_token(guest.cookies["cart_session"])), sku_id="MUG", quantity=4, now=NOW
    )
    until = time.monotonic() + PATIENCE_SECONDS
    while guest.read()[0] != 4:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert [guest.read() for _ in range(2)] == [(4, "MISS"), (4, "HIT")]

    # A header of the client's own, another's version, a query, a token: never another's cart, never from the cache.
    version, key = other.cookies["cart_v"], f"{hash_token(other.cookies['cart_session'])}:{other.cookies['cart_v']}"
    body, headers = guest("GET", "/api/v1/cart", X_Cart_Key=key)
    assert (body["items"][0]["quantity"], headers["x-cache-status"]) == (4, "HIT")
    thief = Guest(edge, {"cart_session": guest.cookies["cart_session"], "cart_v": version})
    assert thief.read() == (4, "MISS")
    assert thief.cookies["cart_v"] == guest.cookies["cart_v"]
    assert guest("GET", "/api/v1/cart?expand=page")[1]["x-cache-status"] == "BYPASS"
    with_header = Guest(edge)("GET", "/api/v1/cart", Cart_Session=other.cookies["cart_session"])
    assert (with_header[0]["items"][0]["quantity"], with_header[1]["x-cache-status"]) == (7, "BYPASS")
    assert Guest(edge, {**guest.cookies, "sessionid": "x" * 32}).read() == (4, "BYPASS")

    # Public answers are kept by their own headers and never set a cookie.
    found = [guest("GET", "/api/v1/skus")[1] for _ in range(2)]
    assert [headers["x-cache-status"] for headers in found] == ["MISS", "HIT"]
    assert not any("set-cookie" in headers for headers in found)


@pytest.mark.race
def test_fifty_guests_at_once_each_see_their_own_cart(edge: int) -> None:
    sell("MUG", on_hand=50_000)
    together = threading.Barrier(GUESTS)
    wrong: list[tuple[int, tuple[int, str]]] = []

    def visit(number: int) -> int:
        guest = Guest(edge)
        together.wait(PATIENCE_SECONDS)
        hits = 0
        for quantity in (number, number + 40):
            guest.put(quantity)
            for _ in range(3):
                units, status = guest.read()
                hits += status == "HIT"
                if units != quantity:
                    wrong.append((quantity, (units, status)))
        return hits

    with ThreadPoolExecutor(GUESTS) as pool:
        hits = list(pool.map(visit, range(1, GUESTS + 1)))
    assert wrong == []
    assert min(hits) >= 2


@pytest.mark.fault
def test_nginx_logs_no_secret_tells_nobody_how_the_shop_does_and_leaves_sizes_to_the_shop(
    edge: int, tmp_path: Path
) -> None:
    token = "Zq" * 17

    def ask(method: str, path: str, body: str = "", kind: str = "application/json") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", edge, timeout=PATIENCE_SECONDS)
        connection.request(method, path, body, {"Content-Type": kind, "Referer": f"http://127.0.0.1/c/r/{token}"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["Content-Type"]

    behind = "c/r e/u e/p orders/link checkout/payer accounts/confirm-email accounts/password/reset/key"
    for prefix in behind.split():
        ask("GET", f"/{prefix}/{token}/?q={token}")
    ask("GET", f"/?q={token}")
    assert [ask("GET", path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200, 404, 404]
    large = ask("POST", "/api/v1/cart/items", "x" * 70_000)
    assert large == (413, "application/problem+json")
    # A table of staff's: whoever is signed in may send one of a megabyte.
    assert ask("POST", "/admin/pricing/price/import/", "a=" + "x" * 1_000_000, "application/x-www-form-urlencoded") == (
        403,
        "text/html; charset=utf-8",
    )

    log, until = tmp_path / "trolley.log", time.monotonic() + PATIENCE_SECONDS
    while "/price/import/" not in (logged := log.read_text()):  # written after the answer was sent
        assert time.monotonic() < until
        time.sleep(0.05)
    assert '"GET /c/r/- HTTP/1.1" 404' in logged
    assert '"GET / HTTP/1.1" 200' in logged
    assert token not in logged
