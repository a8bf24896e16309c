"""What every request passes through: its number in the log, the policy, messages only where there are some."""

from __future__ import annotations

import logging
import re

import pytest
import structlog
from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from shop import urls
from shop.core.web import middleware

NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def say(request: HttpRequest) -> HttpResponse:
    messages.success(request, "done")
    return HttpResponse()


def quiet(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@csp_update({"img-src": ["https://pictures.example.com"]})
def pictures(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


# With the shop's own: middleware looks some of its addresses up.
urlpatterns = [path("say", say), path("quiet", quiet), path("pictures", pictures), *urls.urlpatterns]
here = override_settings(ROOT_URLCONF=__name__, MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage")


@here
def test_messages_are_kept_where_there_are_some_and_cost_nothing_elsewhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/say").cookies["messages"].value
    client.cookies.clear()

    def made(*_: object) -> None:
        raise AssertionError("a storage was made")

    monkeypatch.setattr(CookieStorage, "__init__", made)
    assert not client.get("/quiet").cookies


@here
def test_a_view_can_still_widen_the_policy(client: Client) -> None:
    assert "pictures.example.com" not in client.get("/quiet")["Content-Security-Policy"]
    widened = client.get("/pictures")["Content-Security-Policy"]
    assert "img-src 'self' data: https://pictures.example.com" in widened
    assert "object-src 'none'" in widened


def test_a_request_has_a_number_while_it_lasts_and_one_line_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        return HttpResponse(status=404)

    with caplog.at_level(logging.INFO, logger=middleware.__name__):
        request = RequestFactory().get("/orders/x?token=secret", headers={"X-Request-ID": "abc"})
        middleware.request_log(answer)(request)

    assert NUMBER.fullmatch(seen[0])
    assert structlog.contextvars.get_contextvars() == {}
    (record,) = [one for one in caplog.records if one.name == middleware.__name__]
    assert record.levelno == logging.WARNING
    event = record.msg
    assert isinstance(event, dict)
    assert (event["event"], event["code"], event["request"]) == ("request_finished", 404, "GET /orders/x")


def test_a_number_does_not_outlive_a_crash() -> None:
    def crash(request: HttpRequest) -> HttpResponse:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        middleware.request_log(crash)(RequestFactory().get("/"))
    assert structlog.contextvars.get_contextvars() == {}
