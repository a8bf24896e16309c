"""Threads of one process that ask for the same thing at the same time: one of them asks for all.

While one thread waits for an answer from outside, others come and wait in a queue; then the first of them asks for all
that wait, and hands out the answers. Nothing is kept beyond that, and processes know nothing of one another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 200
"""So many questions are asked at once at most."""


class WaitedTooLongError(Exception):
    """The turn of a question did not come in time; it was never asked."""


@dataclass(slots=True, eq=False)
class _Turn(Generic[Q, A]):
    """A question, and the thread that waits with it."""

    question: Q
    wake: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answer: A | None = None


class Combiner(Generic[Q, A]):
    """Asks questions of many threads together, in the order in which they came.

    `ask_all` gives an answer to each of the questions, in their order.
    """

    def __init__(self, ask_all: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._ask_all = ask_all
        self._lock = threading.Lock()
        self._waiting: list[_Turn[Q, A]] = []
        self._is_led = False

    def ask(self, question: Q, *, seconds: float) -> A | None:
        """Ask, together with whoever waits; None if another thread asked for it and failed: what came of it is unknown.

        What fails in the thread that asks for all is raised there.

        :raises WaitedTooLongError: if the turn did not come within `seconds`. (A question that was asked has its answer
            awaited, for as long as `ask_all` takes.)
        """
        turn = _Turn[Q, A](question)
        with self._lock:
            self._waiting.append(turn)
            turn.leads, self._is_led = not self._is_led, True
        if not turn.leads:
            self._await(turn, seconds)
        if turn.leads:
            self._lead()
        return turn.answer

    def _await(self, turn: _Turn[Q, A], seconds: float) -> None:
        if turn.wake.wait(seconds):
            return
        with self._lock:
            if turn in self._waiting and not turn.leads:
                self._waiting.remove(turn)
                raise WaitedTooLongError
        turn.wake.wait()

    def _lead(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            for turn, answer in zip(batch, self._ask_all([turn.question for turn in batch]), strict=True):
                turn.answer = answer
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].wake.set()
            for turn in batch:
                turn.wake.set()
