"""One key: one effect, one answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shop.checkout.errors import (
    IdempotencyInProgressError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
)
from shop.checkout.idempotency import Answer, clean_key, fingerprint, run
from shop.checkout.models import IdempotencyRecord
from shop.core import clock
from shop.core.errors import ConflictError


class Counting:
    """An effect that counts how often it happens."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Answer:
        """Happen once more."""
        self.times += 1
        return Answer(201, {"time": self.times}, {"Location": "/here"})


def send(effect: object, *, key: str = "k", body: str = "b", principal: str = "g:1", route: str = "POST /x") -> Answer:
    """Send a keyed request."""
    return run(principal=principal, route=route, key=key, fingerprint=body, effect=effect)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_repeat_brings_the_same_answer_and_no_second_effect() -> None:
    effect = Counting()
    first, second = send(effect), send(effect)
    assert effect.times == 1
    assert (first.was_replayed, second.was_replayed) == (False, True)
    assert (second.status, second.body, second.headers) == (first.status, first.body, first.headers)


@pytest.mark.django_db
def test_another_body_is_refused() -> None:
    effect = Counting()
    send(effect)
    with pytest.raises(IdempotencyKeyReusedError):
        send(effect, body="another")
    assert effect.times == 1


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"principal": "g:2"}, {"route": "POST /y"}, {"key": "l"}])
def test_another_person_route_or_key_is_independent(other: dict[str, str]) -> None:
    effect = Counting()
    send(effect)
    assert send(effect, **other).body == {"time": 2}


@pytest.mark.django_db
def test_a_request_that_is_still_running_is_not_run_twice() -> None:
    def nested() -> Answer:
        with pytest.raises(IdempotencyInProgressError) as refused:
            send(Counting())
        assert refused.value.retry_after_seconds == 1
        return Answer(200, {})

    assert send(nested).status == 200


@pytest.mark.django_db
def test_a_refusal_is_not_stored_and_the_key_is_free_again() -> None:
    def refuse() -> Answer:
        raise ConflictError

    effect = Counting()
    with pytest.raises(ConflictError):
        send(refuse)
    assert not IdempotencyRecord.objects.exists()
    assert send(effect, body="another").body == {"time": 1}


@pytest.mark.django_db
def test_the_key_of_a_dead_worker_is_taken_over_after_its_lease_by_the_same_request_only() -> None:
    effect = Counting()
    send(effect)
    IdempotencyRecord.objects.update(state="running", lease_until=clock.now() - timedelta(seconds=1))
    with pytest.raises(IdempotencyKeyReusedError):
        send(effect, body="another")
    assert send(effect).body == {"time": 2}
    assert IdempotencyRecord.objects.get().attempt == 2


@pytest.mark.django_db
def test_a_slow_worker_that_was_overtaken_may_not_write_its_answer() -> None:
    rival = Counting()

    def slow() -> Answer:
        IdempotencyRecord.objects.update(lease_until=clock.now() - timedelta(seconds=1))
        send(rival)
        return Answer(200, {"from": "the slow one"})

    with pytest.raises(IdempotencyInProgressError):
        send(slow)
    assert send(Counting()).body == {"time": 1}
    assert rival.times == 1


@pytest.mark.parametrize("sent", [["a" * 256], [""], ["  "], ["é"], ["a\x00"], ["a", "b"], ["a,b"], ["a\tb"]])
def test_keys_of_another_form_are_invalid(sent: list[str]) -> None:
    with pytest.raises(IdempotencyKeyInvalidError):
        clean_key(sent)


def test_no_key_is_missing_and_a_good_one_is_kept() -> None:
    with pytest.raises(IdempotencyKeyMissingError):
        clean_key([])
    assert clean_key([" abc-1 "]) == "abc-1"
    assert clean_key(["a" * 255]) == "a" * 255


def test_the_fingerprint_is_of_the_content_not_of_the_writing() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})


@pytest.mark.django_db
def test_a_slow_worker_writes_nothing_while_the_one_that_took_over_is_still_running() -> None:
    def slow() -> Answer:
        IdempotencyRecord.objects.update(attempt=2)  # what taking over does
        return Answer(200, {"from": "the slow one"})

    with pytest.raises(IdempotencyInProgressError):
        send(slow)
    record = IdempotencyRecord.objects.get()
    assert (record.state, record.body) == ("running", None)
