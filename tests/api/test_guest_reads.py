"""A guest's plain read is answered at the door: as the ordinary way would answer, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.middleware import SessionMiddleware
from django.test import Client, override_settings

from tests.api.helpers import Api, sell

PLAIN = "*/*"
ORDINARY = "application/*"
"""Takes JSON too, but in words that only the framework understands."""


def _told(response: Any) -> tuple[int, bytes, dict[str, str]]:
    return response.status_code, response.content, {name.lower(): value for name, value in response.items()}


@pytest.mark.parametrize("path", ["cart", "cart/count"])
@pytest.mark.parametrize(
    ("condition", "is_known"),
    [
        ("", False),
        ("{tag}", True),
        ("W/{tag}", True),
        ('"x", {tag}', True),
        ("*", True),
        ('"c7"', False),
        ('"c7.abc"', False),
        ("junk", False),
    ],
)
@pytest.mark.parametrize("is_filled", [True, False])
def test_both_ways_lead_to_the_same_answer(
    client: Client,
    api: Api,
    db: None,
    path: str,
    condition: str,
    is_known: bool,  # noqa: FBT001 - a case
    is_filled: bool,  # noqa: FBT001 - a case
) -> None:
    if is_filled:
        assert api("PUT", f"cart/items/{sell('MUG')}", {"quantity": 2}).status_code == 201
    headers = {"Cart-Session": api.cart_session} if is_filled else {}
    if condition:
        headers["If-None-Match"] = condition.format(tag=client.get("/api/v1/cart", headers=headers)["ETag"])

    plain, ordinary = (
        _told(client.get(f"/api/v1/{path}", headers={**headers, "Accept": accept})) for accept in (PLAIN, ORDINARY)
    )

    assert plain == ordinary
    assert plain[0] == (304 if is_known else 200)


@pytest.mark.parametrize("path", ["/api/v1/cart", "/api/v1/cart/count"])
def test_what_is_not_plain_is_checked_as_ever(client: Client, db: None, path: str) -> None:
    assert client.get(path + "?x=1").status_code == 400
    assert client.get(path, headers={"X-Session-Token": "none"}).status_code == 401
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 406
    assert client.get(path, headers={"Content-Encoding": "gzip"}).status_code == 415
    assert client.put(path).status_code == 405


@override_settings(LANGUAGES=[("en-gb", "English"), ("de", "Deutsch")])
def test_both_ways_answer_in_the_same_of_several_languages(client: Client, db: None) -> None:
    plain, ordinary = (
        _told(client.get("/api/v1/cart", headers={"Accept": accept, "Accept-Language": "de"}))
        for accept in (PLAIN, ORDINARY)
    )

    assert plain == ordinary
    assert plain[2]["content-language"] == "de"


@pytest.mark.parametrize("path", ["/api/v1/cart", "/api/v1/cart/count"])
def test_a_plain_read_asks_nobody_behind_the_door(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def ask(*_: object) -> None:
        raise AssertionError("asked who it is")

    monkeypatch.setattr(SessionMiddleware, "process_request", ask)

    assert client.get(path).status_code == 200
    with pytest.raises(AssertionError):
        client.get(path, headers={"Accept": ORDINARY})


@pytest.mark.parametrize("path", ["/api/v1/cart", "/api/v1/cart/count"])
def test_a_plain_read_of_another_host_is_refused(client: Client, db: None, path: str) -> None:
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 400
