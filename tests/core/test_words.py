"""Refusals in words: the closest family answers, numbers are filled in by plain substitution."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shop.core.errors import (
    BusyError,
    ConflictError,
    ErrorDetail,
    NotFoundError,
    Refusal,
    RejectedError,
    UnavailableError,
)
from shop.core.words import DETAIL_WORDS, Words, detail_words, words


@dataclass(eq=False)
class KettleEmptyError(ConflictError):
    """A refusal without words of its own."""

    code = "kettle_empty"


def test_a_refusal_without_words_of_its_own_gets_its_familys() -> None:
    assert words(KettleEmptyError()) == words(ConflictError())


def test_each_family_has_its_own_words() -> None:
    families: list[Refusal] = [NotFoundError(), RejectedError(), ConflictError(), UnavailableError(), BusyError()]
    assert len({words(one) for one in families}) == len(families)
    assert words(BusyError()) == Words(
        "Very busy", "Many people want this item right now. Please try again in a few seconds."
    )


def test_numbers_are_filled_in_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETAIL_WORDS, "too_hot", "Only {limit} degrees, not {requested}. {other}")
    detail = ErrorDetail("/cup", "too_hot", {"limit": 90, "requested": "{limit.__class__}"})
    assert detail_words(detail) == "Only 90 degrees, not {limit.__class__}. {other}"


def test_an_unknown_detail_still_gets_a_sentence() -> None:
    assert detail_words(ErrorDetail("/cup", "never_heard_of")) == "This value is not valid."
