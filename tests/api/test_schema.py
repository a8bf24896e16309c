"""The API's description: committed, without warnings, and true of what is really answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from cart import recorder
from pricing.conf import PricingConf
from shop.accounts.models import User
from shop.api.problem_pages import refusals
from shop.api.schema import schema
from shop.core.problem_codes import EDGE
from tests.api.helpers import Api, assert_problem, sell
from tests.api.test_codes import make_code
from tests.journeys.test_api_guest_buys import fill_in, pay, start
from tests.pricing.helpers import REGIONS

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
UNDESCRIBED = {"/api/v1/schema", "/api/v1/webhooks/{provider}"}


def test_the_committed_description_is_what_the_code_says(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.yaml"

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(fresh))

    assert fresh.read_text() == COMMITTED.read_text(), "run `make schema`"


def test_the_api_gives_its_own_description(api: Api) -> None:
    response = api("GET", "schema")

    assert response.status_code == 200
    assert response.json() == yaml.safe_load(COMMITTED.read_text())
    assert response.headers["Cache-Control"].startswith("public")


def _paths(patterns: list[URLPattern | URLResolver], prefix: str) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        path = prefix + str(pattern.pattern).replace("<str:", "{").replace("<path:", "{").replace(">", "}")
        found |= _paths(pattern.url_patterns, path) if isinstance(pattern, URLResolver) else {path}
    return found


def test_every_address_is_described() -> None:
    (ours,) = (p for p in get_resolver().url_patterns if str(p.pattern) == "api/v1/")
    assert isinstance(ours, URLResolver)
    addresses = {path for path in _paths(ours.url_patterns, "/api/v1/") if "/auth/" not in path}

    assert addresses - UNDESCRIBED == {path for path in schema()["paths"] if "/auth/" not in path}


def _closed(part: Any) -> Any:
    """Let no object have members that are not described."""
    if isinstance(part, dict):
        closed = {name: _closed(value) for name, value in part.items()}
        if isinstance(part.get("properties"), dict) and "additionalProperties" not in part:
            closed["additionalProperties"] = False
        return closed
    return [_closed(value) for value in part] if isinstance(part, list) else part


def assert_described(response: Any, method: str, path: str) -> None:
    """Check an answer against the description of its address."""
    operation = schema()["paths"][path][method.lower()]
    described = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
    root = {**_closed(described), "components": _closed(schema()["components"])}
    jsonschema.Draft202012Validator(root, format_checker=jsonschema.FormatChecker()).validate(response.json())


def test_what_is_answered_is_as_described(db: None, settings: Settings) -> None:  # noqa: PLR0915 - one walk through every address
    sell("MUG-1", price=1400, on_hand=4)
    sell("MUG-2", price=600, on_hand=0)
    sell("OLD-1", is_sellable=False)
    user = User.objects.create_user("ada@example.com", "trolley-demo-1")
    api = Api()
    seen: list[tuple[Any, str, str]] = []

    def ask(method: str, path: str, template: str, data: object = None, **headers: Any) -> Any:
        response = api(method, path, data, **headers)
        seen.append((response, method, f"/api/v1/{template}"))
        return response

    settings.PRICING = PricingConf(regions=REGIONS)
    ask("GET", "regions", "regions")
    ask("GET", "skus", "skus")
    ask("GET", "skus?ids=MUG-1,MUG-2,OLD-1", "skus")
    ask("GET", "skus/MUG-2", "skus/{sku_id}")
    ask("GET", "cart", "cart")
    ask("PUT", "cart/items/MUG-1", "cart/items/{sku_id}", {"quantity": 1})
    ask("PUT", "cart/items/MUG-1?expand=page", "cart/items/{sku_id}", {"quantity": 2})
    ask("POST", "cart/items", "cart/items", {"sku_id": "MUG-1", "quantity": 1}, key=True)
    ask("PATCH", "cart", "cart", {"items": [{"sku_id": "MUG-1", "quantity": 9}]}, Prefer="handling=lenient")
    ask("GET", "cart?expand=page", "cart")
    ask("PUT", "cart/region?expand=page", "cart/region", {"region": "eu"})
    ask("PUT", "cart/region", "cart/region", {"region": "uk"})
    ask("GET", "cart/count", "cart/count")
    make_code()
    ask("PUT", "cart/codes/WELCOME10?expand=totals", "cart/codes/{code}")
    ask("DELETE", "cart/codes/WELCOME10", "cart/codes/{code}")
    ask("POST", "cart/moves", "cart/moves", {"moves": [{"sku_id": "MUG-1", "to": "saved"}]})
    ask("GET", "saved-items?expand=page", "saved-items")
    ask("POST", "cart/moves", "cart/moves", {"moves": [{"sku_id": "MUG-1", "to": "cart", "quantity": 1}]})
    ask("PUT", "saved-items/MUG-2", "saved-items/{sku_id}", {"quantity": 1})
    ask("DELETE", "saved-items/MUG-2", "saved-items/{sku_id}")
    ask("POST", "cart/notices/ack", "cart/notices/ack", {"notice_ids": []})
    undo = ask("DELETE", "cart/items/MUG-1", "cart/items/{sku_id}").json()["undo"]
    ask("POST", "cart/undo", "cart/undo", {"undo": undo})
    etag = api("GET", "cart").headers["ETag"]
    checkout = ask("POST", "checkouts", "checkouts", {}, key=True, If_Match=etag).json()
    ask("GET", f"checkouts/{checkout['id']}", "checkouts/{checkout_id}")
    ask(
        "POST",
        f"checkouts/{checkout['id']}/reservation-renewals",
        "checkouts/{checkout_id}/reservation-renewals",
        key=True,
    )
    ask("POST", f"checkouts/{checkout['id']}/reservations", "checkouts/{checkout_id}/reservations", {}, key=True)
    checkout = fill_in(api, api("GET", f"checkouts/{checkout['id']}").json())
    waiting = pay(api, checkout, "requires_action")
    seen.append((waiting, "POST", "/api/v1/checkouts/{checkout_id}/payments"))
    ask("GET", waiting.headers["Location"], "checkouts/{checkout_id}/payments/{payment_id}")
    ask("POST", waiting.headers["Location"] + "/checks", "checkouts/{checkout_id}/payments/{payment_id}/checks")
    other = Api()
    other("PUT", "cart/items/MUG-1", {"quantity": 1})
    paid = pay(other, fill_in(other, start(other).json()))
    seen.append((paid, "POST", "/api/v1/checkouts/{checkout_id}/payments"))
    seen.append((other("GET", "orders"), "GET", "/api/v1/orders"))
    seen.append((other("GET", f"orders/{paid.json()['order_number']}"), "GET", "/api/v1/orders/{number}"))
    again = other("POST", f"orders/{paid.json()['order_number']}/reorders", key=True)
    seen.append((again, "POST", "/api/v1/orders/{number}/reorders"))
    customer = Api()
    signed_in = customer.sign_in(user.email, "trolley-demo-1")
    seen.append((signed_in, "POST", "/api/v1/auth/app/v1/auth/login"))
    merge = {"source": {"items": [{"sku_id": "MUG-1", "quantity": 1}]}, "merge_id": "m"}
    seen.append((customer("POST", "cart/merge", merge), "POST", "/api/v1/cart/merge"))
    asking = {"source": {"items": [{"sku_id": "MUG-1", "quantity": 3}]}, "policy": "prompt", "merge_id": "n"}
    asked = customer("POST", "cart/merge", asking)
    seen.append((asked, "POST", "/api/v1/cart/merge"))
    assert asked.json()["question"]["items"]
    seen.append((customer("GET", "cart?expand=page"), "GET", "/api/v1/cart"))
    customer("PUT", "saved-items/MUG-1", {"quantity": 1})
    recorder.drain()
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    seen.append((customer("GET", "saved-lines"), "GET", "/api/v1/saved-lines"))
    preference = {"cart_reminder": False}
    seen.append((customer("GET", "me/preferences"), "GET", "/api/v1/me/preferences"))
    seen.append((customer("PATCH", "me/preferences", preference), "PATCH", "/api/v1/me/preferences"))
    ask("GET", "problems/malformed", "problems/{code}")

    for response, method, path in seen:
        assert response.status_code < 400, (method, path, response.content)
        assert_described(response, method, path)
    tested = {(method.lower(), path) for _, method, path in seen}
    described = {(method, path) for path, operations in schema()["paths"].items() for method in operations}
    left = {path for method, path in described - tested}
    assert left <= {
        "/api/v1/cart",  # DELETE, as PATCH
        "/api/v1/checkouts/{checkout_id}",  # PATCH and DELETE, in the journeys
        "/api/v1/auth/app/v1/auth/session",
        "/api/v1/auth/app/v1/auth/signup",
    }


@pytest.mark.parametrize("code", sorted({*EDGE, *(code for code in refusals())}))
def test_every_problem_has_a_page(api: Api, code: str) -> None:
    response = api("GET", f"problems/{code}")

    body = response.json()
    assert response.status_code == 200
    assert (body["code"], body["type"]) == (code, f"/api/v1/problems/{code}")
    assert body["title"]
    assert body["description"]
    assert 400 <= body["status"] < 600


def test_a_problem_that_does_not_exist_has_no_page(api: Api) -> None:
    assert_problem(api("GET", "problems/nothing"), 404, "not_found")
