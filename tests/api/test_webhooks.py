"""Where providers report: raw signed bodies and nothing else."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from shop.checkout.gateways.signing import sign
from shop.checkout.models import WebhookEvent
from shop.core import clock
from tests.api.helpers import Api, assert_problem


def test_a_webhook_takes_posts_of_raw_signed_bodies_only(api: Api) -> None:
    assert_problem(api("GET", "webhooks/fake"), 405, "method_not_allowed")
    assert_problem(api("POST", "webhooks/fake", {"id": "evt_1"}), 400, "webhook_refused")
    assert_problem(api("POST", "webhooks/unknown", {"id": "evt_1"}), 400, "webhook_refused")
    assert_problem(api("POST", "webhooks/fake", raw=b"x" * 70_000), 413, "body_too_large")
    assert_problem(api("POST", "webhooks/fake", {}, Content_Encoding="gzip"), 415, "unsupported_media_type")
    assert_problem(api("POST", "webhooks/fake", raw=b"\xff\xfe"), 400, "webhook_refused")


def test_an_event_that_cannot_be_stored_is_asked_for_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"id": "evt_1", "type": "charge.succeeded"}).encode()
    headers = {"Webhook_Signature": sign(body=body, secret="offline-gateway", at=clock.now())}

    def closed(*_: object, **__: object) -> None:
        raise OperationalError("server closed the connection")

    with monkeypatch.context() as down:
        down.setattr("shop.checkout.services.webhooks.rows", closed)
        refused = assert_problem(api("POST", "webhooks/fake", raw=body, **headers), 503, "unavailable")

    assert refused["status"] == 503
    assert not WebhookEvent.objects.exists()
    assert api("POST", "webhooks/fake", raw=body, **headers).status_code == 200
    assert WebhookEvent.objects.count() == 1


def test_an_event_that_is_stored_is_answered_even_if_working_it_off_fails(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"id": "evt_1", "type": "charge.succeeded"}).encode()
    headers = {"Webhook_Signature": sign(body=body, secret="offline-gateway", at=clock.now())}

    def closed(*_: object, **__: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("shop.checkout.services.webhooks._claim", closed)

    assert api("POST", "webhooks/fake", raw=body, **headers).status_code == 200
    assert WebhookEvent.objects.get().state == "received"
