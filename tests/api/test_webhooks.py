"""Where providers report: raw signed bodies and nothing else."""

from __future__ import annotations

from tests.api.helpers import Api, assert_problem


def test_a_webhook_takes_posts_of_raw_signed_bodies_only(api: Api) -> None:
    assert_problem(api("GET", "webhooks/fake"), 405, "method_not_allowed")
    assert_problem(api("POST", "webhooks/fake", {"id": "evt_1"}), 400, "webhook_refused")
    assert_problem(api("POST", "webhooks/unknown", {"id": "evt_1"}), 400, "webhook_refused")
    assert_problem(api("POST", "webhooks/fake", raw=b"x" * 70_000), 413, "body_too_large")
    assert_problem(api("POST", "webhooks/fake", {}, Content_Encoding="gzip"), 415, "unsupported_media_type")
    assert_problem(api("POST", "webhooks/fake", raw=b"\xff\xfe"), 400, "webhook_refused")
