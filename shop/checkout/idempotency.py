"""Keyed requests: one effect and one answer a key, also when requests meet, repeat, or their worker dies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shop.checkout.errors import (
    IdempotencyInProgressError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
)
from shop.checkout.models import IdempotencyRecord, IdempotencyState
from shop.core.db import prepared

LEASE_SECONDS = 30
"""Longer than any request may take: after that its worker is dead and the key is taken over."""
KEY_LENGTH = 255

_CLAIM = """
INSERT INTO checkout_idempotencyrecord AS r
       (principal, route, key, fingerprint, state, attempt, lease_until, headers, created_at)
VALUES (%(principal)s, %(route)s, %(key)s, %(fingerprint)s, 'running', 1,
        clock_timestamp() + make_interval(secs => %(lease)s), '{}', clock_timestamp())
ON CONFLICT (principal, route, key) DO UPDATE
   SET attempt = r.attempt + 1, lease_until = excluded.lease_until
 WHERE r.state = 'running' AND r.lease_until < clock_timestamp() AND r.fingerprint = excluded.fingerprint
RETURNING id, attempt
"""
_FINISH = """
UPDATE checkout_idempotencyrecord SET state = 'done', status = %(status)s, headers = %(headers)s, body = %(body)s
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an edge answered: JSON only. `was_replayed` is true if an earlier request's answer is given again."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    was_replayed: bool = False


def clean_key(sent: Sequence[str]) -> str:
    """Check the values of the `Idempotency-Key` header, in the order in which they were sent.

    :raises IdempotencyKeyMissingError: if there is none.
    :raises IdempotencyKeyInvalidError: if it was sent twice, is empty, longer than 255 characters, or not printable
        ASCII without commas.
    """
    if not sent:
        raise IdempotencyKeyMissingError
    key = sent[0].strip()
    # Servers join repeated headers by commas, so a comma is how a key that was sent twice looks.
    if len(sent) > 1 or not key or len(key) > KEY_LENGTH or not key.isascii() or not key.isprintable() or "," in key:
        raise IdempotencyKeyInvalidError
    return key


def fingerprint(payload: object) -> str:
    """Hash a request's parsed body and preconditions: the same for the same content, however it was written."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def run(
    *,
    principal: str,
    route: str,
    key: str,
    fingerprint: str,
    effect: Callable[[], Answer],
    lease_seconds: int = LEASE_SECONDS,
) -> Answer:
    """Run `effect` once for this principal, route and key, and give its answer to every repeat.

    The claim commits before the effect begins. A refusal that `effect` raises is not stored: the key is free again, so
    that the same request may succeed later. If the worker dies, the lease runs out and a repeat runs the effect again;
    each effect therefore finds what it did before (an open checkout by its owner, a payment or a renewal by its key).
    The attempt's number fences a worker that was only slow: it may no longer write its answer.

    :raises IdempotencyKeyReusedError: if the key was used for another body.
    :raises IdempotencyInProgressError: if the first request is still running, or this one was overtaken.
    """
    claim = prepared(
        _CLAIM,
        {"principal": principal, "route": route, "key": key, "fingerprint": fingerprint, "lease": lease_seconds},
    )
    if not claim:
        return _earlier(principal=principal, route=route, key=key, fingerprint=fingerprint)
    record_id, attempt = claim[0]
    try:
        answer = effect()
    except BaseException:
        IdempotencyRecord.objects.filter(pk=record_id, attempt=attempt, state=IdempotencyState.RUNNING).delete()
        raise
    stored = prepared(
        _FINISH,
        {
            "id": record_id,
            "attempt": attempt,
            "status": answer.status,
            "headers": json.dumps(dict(answer.headers)),
            "body": json.dumps(answer.body),
        },
    )
    if not stored:
        raise IdempotencyInProgressError(retry_after_seconds=1)
    return answer


def _earlier(*, principal: str, route: str, key: str, fingerprint: str) -> Answer:
    record = IdempotencyRecord.objects.filter(principal=principal, route=route, key=key).first()
    if record is None:  # it was refused a moment ago
        raise IdempotencyInProgressError(retry_after_seconds=1)
    if record.fingerprint != fingerprint:
        raise IdempotencyKeyReusedError
    if record.state != IdempotencyState.DONE or record.status is None:
        raise IdempotencyInProgressError(retry_after_seconds=1)
    answer = Answer(status=record.status, body=record.body or {}, headers=record.headers)
    return replace(answer, was_replayed=True)
