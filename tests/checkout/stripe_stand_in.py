"""Stripe's API on a local port: the addresses and shapes that its documentation gives, kept in memory, with its faults.

It is another company's computer: nothing of ours is imported here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PAGE = "https://checkout.stripe.com/c/pay/"
CARDS = {
    "pm_card_visa": "",
    "pm_card_declined": "insufficient_funds",
    "pm_card_authenticate": "authenticate",
}


@dataclass
class StripeStandIn:
    """The books of one test account."""

    url: str = ""
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    """Method, path, parameters, headers of each request."""
    lose_answers: int = 0
    """So many next changes are made, but not answered: the client waits until it has no more patience."""
    fail_with: list[int] = field(default_factory=list)
    """Statuses of the next answers; nothing is done then."""
    _answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_id(self, prefix: str) -> str:
        """Make an id in Stripe's manner."""
        self._number += 1
        return f"{prefix}_test_{self._number:08d}"

    # ------------------------------------------------------------ what payers and staff do there

    def pays(self, session_id: str) -> dict[str, Any]:
        """Let a payer pay on the hosted page: the money is held."""
        session = self.sessions[session_id]
        intent = self._intent_of(session)
        intent["status"] = "requires_capture"
        intent["latest_charge"] = self._charge(intent)
        session.update(status="complete", url=None)
        return intent

    def declines(self, session_id: str) -> dict[str, Any]:
        """Let a card be declined on the hosted page: the page waits for another one."""
        intent = self._intent_of(self.sessions[session_id])
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}
        return intent

    def confirms(self, intent_id: str) -> dict[str, Any]:
        """Let a payer confirm at their bank."""
        intent = self.intents[intent_id]
        intent.update(status="requires_capture", next_action=None)
        intent["latest_charge"] = self._charge(intent)
        return intent

    def lets_go(self, intent_id: str) -> None:
        """Let a hold run out."""
        self.intents[intent_id].update(status="canceled", cancellation_reason="automatic")

    def event(self, kind: str, found: dict[str, Any], *, event_id: str = "evt_1", **more: Any) -> bytes:
        """Write the webhook that tells something."""
        event = {"id": event_id, "object": "event", "type": kind, "livemode": False, "data": {"object": found}, **more}
        return json.dumps(event, indent=2).encode()

    def sign(self, body: bytes, secret: str, *, at: float | None = None) -> dict[str, str]:
        """Sign a webhook as Stripe's documentation says."""
        seconds = int(time.time() if at is None else at)
        mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={seconds},v1={mac},v0={'0' * 64}"}

    # ------------------------------------------------------------ the API

    def answer(self, method: str, path: str, given: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """Answer a request; one with a key that was used before gets the answer of then."""
        with self._lock:
            if key and key in self._answers:
                return self._answers[key]
            answered = self._do(method, path, given)
            if key:
                self._answers[key] = answered
            return answered

    def _do(self, method: str, path: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        routes: tuple[tuple[str, str, Callable[..., tuple[int, dict[str, Any]]]], ...] = (
            ("post", r"/v1/checkout/sessions", self._open),
            ("get", r"/v1/checkout/sessions", self._list_sessions),
            ("get", r"/v1/checkout/sessions/(\w+)", self._show_session),
            ("post", r"/v1/checkout/sessions/(\w+)/expire", self._expire),
            ("post", r"/v1/payment_intents", self._confirm),
            ("get", r"/v1/payment_intents", self._list_intents),
            ("get", r"/v1/payment_intents/(\w+)", self._show_intent),
            ("post", r"/v1/payment_intents/(\w+)/capture", self._capture),
            ("post", r"/v1/payment_intents/(\w+)/cancel", self._cancel),
            ("post", r"/v1/refunds", self._refund),
        )
        for verb, pattern, do in routes:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return do(given, *match.groups())
        return _error(404, "invalid_request_error", "resource_missing")

    def _open(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        [line] = given["line_items"].values()
        price = line["price_data"]
        session = {
            "id": self.new_id("cs"),
            "object": "checkout.session",
            "amount_total": int(price["unit_amount"]) * int(line["quantity"]),
            "client_reference_id": given["client_reference_id"],
            "created": int(time.time()),
            "currency": price["currency"],
            "expires_at": int(given["expires_at"]),
            "livemode": False,
            "metadata": given["metadata"],
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "_intent_data": given["payment_intent_data"],
        }
        session["url"] = PAGE + str(session["id"])
        self.sessions[str(session["id"])] = session
        return 200, session

    def _intent_of(self, session: dict[str, Any]) -> dict[str, Any]:
        if session["payment_intent"] is None:
            data = session["_intent_data"]
            intent = self._new_intent(session["amount_total"], session["currency"], data["metadata"])
            session["payment_intent"] = intent["id"]
        return self.intents[session["payment_intent"]]

    def _new_intent(self, amount: int, currency: str, metadata: dict[str, Any]) -> dict[str, Any]:
        intent = {
            "id": self.new_id("pi"),
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "capture_method": "manual",
            "created": int(time.time()),
            "currency": currency,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": metadata,
            "next_action": None,
            "status": "requires_payment_method",
        }
        self.intents[str(intent["id"])] = intent
        return intent

    def _charge(self, intent: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.new_id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_refunded": 0,
            "currency": intent["currency"],
            "livemode": False,
            "metadata": intent["metadata"],
            "payment_intent": intent["id"],
            "refunded": False,
        }

    def _confirm(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        outcome = CARDS.get(given["payment_method"])
        if outcome is None:
            return _error(400, "invalid_request_error", "resource_missing", param="payment_method")
        assert given["confirm"] == "true"
        assert given["capture_method"] == "manual"
        intent = self._new_intent(int(given["amount"]), given["currency"], given["metadata"])
        if outcome == "authenticate":
            url = f"https://hooks.stripe.com/redirect/{intent['id']}"
            intent.update(
                status="requires_action",
                next_action={"type": "redirect_to_url", "redirect_to_url": {"url": url}},
            )
        elif outcome:
            intent["last_payment_error"] = {"type": "card_error", "code": "card_declined", "decline_code": outcome}
            return _error(402, "card_error", "card_declined", decline_code=outcome, payment_intent=intent)
        else:
            intent["status"] = "requires_capture"
            intent["latest_charge"] = self._charge(intent)
        return 200, intent

    def _show_session(self, given: dict[str, Any], session_id: str) -> tuple[int, dict[str, Any]]:
        session = self.sessions.get(session_id)
        if session is None:
            return _error(404, "invalid_request_error", "resource_missing")
        return 200, self._expanded(session, given)

    def _expanded(self, session: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        wanted = " ".join(given.get("expand", {}).values())
        intent = session["payment_intent"]
        return session | {"payment_intent": self.intents[intent]} if intent and "payment_intent" in wanted else session

    def _list_sessions(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, _page([self._expanded(session, given) for session in self.sessions.values()], given)

    def _list_intents(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, _page(list(self.intents.values()), given)

    def _show_intent(self, given: dict[str, Any], intent_id: str) -> tuple[int, dict[str, Any]]:
        del given
        found = self.intents.get(intent_id)
        return (200, found) if found else _error(404, "invalid_request_error", "resource_missing")

    def _expire(self, given: dict[str, Any], session_id: str) -> tuple[int, dict[str, Any]]:
        del given
        session = self.sessions[session_id]
        if session["status"] != "open":
            return _error(400, "invalid_request_error", "resource_missing")
        session.update(status="expired", url=None)
        return 200, session

    def _capture(self, given: dict[str, Any], intent_id: str) -> tuple[int, dict[str, Any]]:
        del given
        intent = self.intents[intent_id]
        if intent["status"] != "requires_capture":
            return _error(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent.update(status="succeeded", amount_received=intent["amount"])
        return 200, intent

    def _cancel(self, given: dict[str, Any], intent_id: str) -> tuple[int, dict[str, Any]]:
        del given
        intent = self.intents[intent_id]
        if intent["status"] in ("succeeded", "canceled"):
            return _error(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent["status"] = "canceled"
        return 200, intent

    def _refund(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        intent = self.intents[given["payment_intent"]]
        charge = intent["latest_charge"]
        if charge["refunded"]:
            return _error(400, "invalid_request_error", "charge_already_refunded")
        charge.update(refunded=True, amount_refunded=charge["amount"])
        refund = {"id": self.new_id("re"), "object": "refund", "amount": charge["amount"], "status": "succeeded"}
        self.refunds.append(refund)
        return 200, refund


def _page(rows: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    since = int(given.get("created", {}).get("gte", 0))
    found = [row for row in reversed(rows) if row["created"] >= since]
    if "starting_after" in given:
        ids = [row["id"] for row in found]
        found = found[ids.index(given["starting_after"]) + 1 :]
    limit = int(given.get("limit", 10))
    return {"object": "list", "data": found[:limit], "has_more": len(found) > limit}


def _error(status: int, kind: str, code: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"type": kind, "code": code, "message": code, **more}}


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read `a[b][c]=1` as form encoding nests it."""
    read: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = re.findall(r"[^\[\]]+", name)
        into = read
        for step, following in zip([first, *rest], rest, strict=False):
            into = into.setdefault(step, {})
            del following
        into[[first, *rest][-1]] = value
    return read


@contextmanager
def stripe_stand_in() -> Iterator[StripeStandIn]:
    """Serve a fresh account on a free port."""
    books = StripeStandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("get")

        def do_POST(self) -> None:
            self._serve("post")

        def _serve(self, method: str) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            address = urlsplit(self.path)
            given = _nested(parse_qsl(sent or address.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            books.requests.append((method, address.path, given, headers))
            if books.fail_with:
                status, body = _error(books.fail_with.pop(0), "api_error", "lock_timeout")
            else:
                status, body = books.answer(method, address.path, given, headers.get("idempotency-key", ""))
                if method == "post" and books.lose_answers:
                    books.lose_answers -= 1
                    self.rfile.read(1)  # until the client hangs up
                    return
            raw = json.dumps({name: value for name, value in body.items() if not name.startswith("_")}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that gave up waiting
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    books.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield books
    finally:
        server.shutdown()
        server.server_close()
