"""The inbox of the payment provider's webhooks: kept first, worked off afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError

from shop.checkout import models
from shop.checkout.conf import conf
from shop.checkout.errors import WebhookRefusedError
from shop.checkout.gateways import gateway, is_known
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.services.outcomes import Effect, apply_outcome
from shop.core import clock
from shop.core.db import rows
from shop.core.errors import Refusal

log = structlog.get_logger(__name__)

BATCH = 50
LEASE_SECONDS = 30
"""A worker that died gives its events up after so long."""
MOST_TRIES = 8
"""5, 10, 20 … seconds apart: about ten minutes; then the event is parked for people to look at."""

_INSERT = """
INSERT INTO checkout_webhookevent
       (provider, event_id, kind, object_id, body, state, attempts, next_try_at, error, received_at)
VALUES (%(provider)s, %(event_id)s, %(kind)s, %(object_id)s, %(body)s, 'received', 0, clock_timestamp(), '', %(now)s)
ON CONFLICT (provider, event_id) DO NOTHING
RETURNING id
"""

# The lease is the next try: an event whose worker died is simply due again.
_CLAIM = """
WITH due AS MATERIALIZED (
       SELECT id FROM checkout_webhookevent
        WHERE state = 'received' AND next_try_at <= clock_timestamp() AND (%(id)s::bigint IS NULL OR id = %(id)s)
        ORDER BY next_try_at, id LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE checkout_webhookevent e
   SET attempts = e.attempts + 1, next_try_at = clock_timestamp() + make_interval(secs => %(lease)s)
  FROM due WHERE e.id = due.id RETURNING e.id
"""


def receive_webhook(*, provider: str, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
    """Verify a webhook over its raw bytes and keep it; then try to work it off at once.

    Once it returns the event is durable and the provider may be answered 200. One that was kept before is success.

    :raises WebhookRefusedError: if the provider is unknown, the signature or its time are not good, or the body is
        not of the provider's shape.
    """
    if not is_known(provider):
        raise WebhookRefusedError
    source = gateway(provider)
    source.verify(body=body, headers=headers, now=now)
    event = source.read_event(body=body)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise WebhookRefusedError from error
    kept = rows(
        _INSERT,
        {
            "provider": provider,
            "event_id": event.event_id,
            "kind": event.kind,
            "object_id": event.object_id,
            "body": text.replace("\x00", ""),
            "now": now,
        },
    )
    if not kept:
        return
    try:
        for event_id in _claim(batch=1, event_id=kept[0][0]):
            _process(event_id, now)
    except (DatabaseError, Refusal):
        log.exception("webhook_kept_for_later", provider=provider)


def process_webhooks(*, now: datetime | None = None) -> int:
    """Work off the inbox, oldest first; workers side by side skip what another holds. Gives the number of events tried.

    The offline gateway's own webhooks, which no network brings, are delivered first.
    """
    moment = now or clock.now()
    _deliver_offline(moment)
    tried = 0
    while ids := _claim(batch=BATCH, event_id=None):
        for event_id in ids:
            _process(event_id, moment)
        tried += len(ids)
    return tried


def retry_webhook(*, event_id: int, now: datetime) -> None:
    """Take a parked event up again: staff have put right what kept it."""
    parked = models.WebhookEvent.objects.filter(pk=event_id, state=models.WebhookState.PARKED)
    if parked.update(state=models.WebhookState.RECEIVED, attempts=0, error="", next_try_at=now):
        for claimed in _claim(batch=1, event_id=event_id):
            _process(claimed, now)


def _deliver_offline(now: datetime) -> None:
    source = gateway(conf().gateway)
    if not isinstance(source, FakeGateway):
        return
    for body, headers in source.take_messages():
        receive_webhook(provider=source.name, body=body, headers=headers, now=now)


def _claim(*, batch: int, event_id: int | None) -> list[int]:
    return [row[0] for row in rows(_CLAIM, {"id": event_id, "batch": batch, "lease": LEASE_SECONDS})]


def _process(event_id: int, now: datetime) -> None:
    """Apply one claimed event. What cannot be applied yet is due again later, with growing pauses."""
    event = models.WebhookEvent.objects.get(pk=event_id)
    try:
        state, error = _apply(event, now)
    except Refusal as refusal:  # such as an unknown payment: its row may not be visible yet
        _again(event, refusal.code)
    except Exception as failure:  # an event that breaks us must not hold up those behind it
        log.exception("webhook_failed", provider=event.provider, event_id=event.event_id)
        _again(event, type(failure).__name__)
    else:
        _end(event, state, error, now)


def _apply(event: models.WebhookEvent, now: datetime) -> tuple[models.WebhookState, str]:
    outcome = gateway(event.provider).read_event(body=event.body.encode()).outcome
    if outcome is None:
        return models.WebhookState.PARKED, "unknown_kind"
    applied = apply_outcome(outcome=outcome, now=now)
    if applied.effect is Effect.MISMATCHED:
        return models.WebhookState.PARKED, applied.reason
    return models.WebhookState.PROCESSED, ""


def _again(event: models.WebhookEvent, error: str) -> None:
    if event.attempts >= MOST_TRIES:
        log.error("webhook_parked", provider=event.provider, event_id=event.event_id, reason=error)
        _end(event, models.WebhookState.PARKED, error, clock.now())
        return
    pause = timedelta(seconds=5 * 2 ** (event.attempts - 1))
    mine = models.WebhookEvent.objects.filter(pk=event.pk, attempts=event.attempts, state=models.WebhookState.RECEIVED)
    mine.update(error=error, next_try_at=clock.now() + pause)


def _end(event: models.WebhookEvent, state: models.WebhookState, error: str, now: datetime) -> None:
    """Write the end of one try; a try that was overtaken writes nothing."""
    mine = models.WebhookEvent.objects.filter(pk=event.pk, attempts=event.attempts, state=models.WebhookState.RECEIVED)
    mine.update(state=state, error=error, processed_at=now)
