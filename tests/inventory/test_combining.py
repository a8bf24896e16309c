"""Threads that ask at the same time: one asks for all, in order; nobody is left behind."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from inventory import combining
from inventory.combining import Combiner, WaitedTooLongError

PATIENCE_SECONDS = 30


class Outside:
    """What is asked: it answers a question with its length when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.reached, self.may_answer = threading.Event(), threading.Event()
        self.fails = False

    def answer(self, questions: Sequence[str]) -> list[int]:
        self.asked.append(list(questions))
        self.reached.set()
        assert self.may_answer.wait(PATIENCE_SECONDS)
        if self.fails:
            self.fails = False
            raise ConnectionError(questions[0])
        return [len(question) for question in questions]


def gather(
    pool: ThreadPoolExecutor, combiner: Combiner[str, int], *questions: str, seconds: float = PATIENCE_SECONDS
) -> list[Future[int | None]]:
    """Let a thread ask each question; return once all of them wait, one behind the other."""
    asked = []
    for question in questions:
        before = len(combiner._waiting)
        asked.append(pool.submit(combiner.ask, question, seconds=seconds))
        while len(combiner._waiting) == before and not asked[-1].done():
            threading.Event().wait(0.001)
    return asked


@pytest.fixture
def outside() -> Outside:
    return Outside()


def test_who_is_alone_is_answered_at_once(outside: Outside) -> None:
    outside.may_answer.set()
    combiner = Combiner(outside.answer)

    assert combiner.ask("mug", seconds=0) == 3
    assert combiner.ask("plate", seconds=0) == 5
    assert outside.asked == [["mug"], ["plate"]]


def test_who_comes_while_one_asks_is_asked_for_together_in_order(outside: Outside) -> None:
    combiner = Combiner(outside.answer)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(combiner.ask, "a", seconds=0)
        assert outside.reached.wait(PATIENCE_SECONDS)
        others = gather(pool, combiner, "bb", "ccc", "dddd")
        outside.may_answer.set()
        answers = [asked.result(PATIENCE_SECONDS) for asked in (first, *others)]

    assert answers == [1, 2, 3, 4]
    assert outside.asked == [["a"], ["bb", "ccc", "dddd"]]
    assert combiner.ask("later", seconds=0) == 5


def test_a_long_queue_is_asked_in_parts(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "MOST", 2)
    combiner = Combiner(outside.answer)
    with ThreadPoolExecutor(6) as pool:
        pool.submit(combiner.ask, "a", seconds=0)
        assert outside.reached.wait(PATIENCE_SECONDS)
        others = gather(pool, combiner, "b", "cc", "ddd", "e")
        outside.may_answer.set()
        assert [asked.result(PATIENCE_SECONDS) for asked in others] == [1, 2, 3, 1]

    assert outside.asked == [["a"], ["b", "cc"], ["ddd", "e"]]


def ask_behind_one_who_fails(outside: Outside, *, seconds: float = PATIENCE_SECONDS) -> list[object]:
    """Let two wait so long behind one whose question fails, and one ask later; give what they got."""
    combiner = Combiner(outside.answer)
    with ThreadPoolExecutor(4) as pool:
        outside.fails = True
        first = pool.submit(combiner.ask, "a", seconds=0)
        assert outside.reached.wait(PATIENCE_SECONDS)
        others = gather(pool, combiner, "bb", "cc", seconds=seconds)
        outside.may_answer.set()
        with pytest.raises(ConnectionError):
            first.result(PATIENCE_SECONDS)
        got: list[object] = []
        for asked in others:
            with suppress(WaitedTooLongError):
                got.append(asked.result(PATIENCE_SECONDS))
    with suppress(WaitedTooLongError):
        got.append(combiner.ask("later", seconds=0))
    return got


def test_one_who_fails_leaves_the_lead_to_the_next(outside: Outside) -> None:
    assert ask_behind_one_who_fails(outside) == [2, 2, 5]


def test_twin_that_hands_over_only_after_an_answer_leaves_all_others_waiting(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(combiner: Combiner[str, int]) -> None:
        batch, combiner._waiting = combiner._waiting, []
        for turn, answer in zip(batch, combiner._ask_all([turn.question for turn in batch]), strict=True):
            turn.answer = answer
            turn.wake.set()
        combiner._is_led = False

    monkeypatch.setattr(Combiner, "_lead", careless)
    assert ask_behind_one_who_fails(outside, seconds=0.1) == []


def test_those_for_whom_another_asked_in_vain_do_not_know_and_go_on(outside: Outside) -> None:
    combiner = Combiner(outside.answer)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(combiner.ask, "a", seconds=0)
        assert outside.reached.wait(PATIENCE_SECONDS)
        others = gather(pool, combiner, "bb", "cc")
        second = outside.answer

        def fail(questions: Sequence[str]) -> list[int]:
            raise ConnectionError(*second(questions))

        combiner._ask_all = fail
        outside.may_answer.set()
        assert first.result(PATIENCE_SECONDS) == 1
        with pytest.raises(ConnectionError):
            others[0].result(PATIENCE_SECONDS)
        assert others[1].result(PATIENCE_SECONDS) is None


def test_whose_turn_does_not_come_in_time_is_never_asked(outside: Outside) -> None:
    combiner = Combiner(outside.answer)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(combiner.ask, "a", seconds=0)
        assert outside.reached.wait(PATIENCE_SECONDS)
        with pytest.raises(WaitedTooLongError):
            combiner.ask("late", seconds=0.01)
        outside.may_answer.set()
        assert first.result(PATIENCE_SECONDS) == 1

    assert outside.asked == [["a"]]
    assert combiner.ask("bb", seconds=0) == 2


def test_who_was_asked_for_waits_for_the_answer_however_late(outside: Outside) -> None:
    combiner = Combiner(outside.answer)
    turn = combining._Turn[str, int]("bb")  # taken out of the queue by one who asks for it
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(combiner._await, turn, 0.01)
        with pytest.raises(TimeoutError):
            waits.result(0.1)
        turn.wake.set()
        waits.result(PATIENCE_SECONDS)
