"""Which texts can be SKUs, and how titles and searches are made."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.catalog.rules import canonical_sku_id, is_options, search_words, sku_title


@pytest.mark.parametrize(
    ("text", "sku_id"),
    [
        ("MUG-350-SLATE", "MUG-350-SLATE"),
        ("  MUG-1 ", "MUG-1"),
        ("mug-1", "mug-1"),
        ("CAFE\u0301", "CAF\u00c9"),
        ("MUG 1", "MUG 1"),
        ("\N{TEACUP WITHOUT HANDLE}", "\N{TEACUP WITHOUT HANDLE}"),
        ("x" * 64, "x" * 64),
    ],
)
def test_a_sku_has_one_form(text: str, sku_id: str) -> None:
    assert canonical_sku_id(text) == sku_id


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "@version", " @x", "__proto__", "constructor", ".", ".."),
        *("x" * 65, "x" * 10_000, "A\nB", "A\x00B", "A\tB", "A\u202eB", "A\u200bB", "\ud800", "A\u2028B", "A\u00a0B"),
        *("A/B", "A\\B", "A,B", "A?B", "A#B", "A%2FB", 'A"B', "<b>"),
    ],
)
def test_what_breaks_paths_keys_or_markup_is_no_sku(text: str) -> None:
    assert canonical_sku_id(text) is None


@given(st.text(max_size=80))
def test_the_canonical_form_is_its_own(text: str) -> None:
    sku_id = canonical_sku_id(text)
    if sku_id is not None:
        assert canonical_sku_id(sku_id) == sku_id
        assert canonical_sku_id(unicodedata.normalize("NFD", sku_id)) == sku_id
        assert 1 <= len(sku_id) <= 64
        sku_id.encode()


@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_search_is_at_most_eight_words_that_postgresql_can_take(query: str) -> None:
    words = search_words(query)

    assert len(words) <= 8
    for word in words:
        assert word
        assert "\x00" not in word
        word.encode()


def test_a_sku_is_named_by_its_product_and_options() -> None:
    assert sku_title("Enamel mug", [("Size", "350 ml"), ("Colour", "Slate")]) == "Enamel mug, 350 ml, Slate"
    assert sku_title("Cork trivet", []) == "Cork trivet"


@pytest.mark.parametrize(
    ("value", "is_fine"),
    [
        ([], True),
        ([["Size", "350 ml"]], True),
        ({"Size": "350 ml"}, False),
        ([["Size"]], False),
        ([["Size", ""]], False),
        ([["Size", 350]], False),
        (["Si"], False),
        ([["Size", "a"], ["Size", "b"]], False),
        (None, False),
    ],
)
def test_options_are_pairs(value: object, is_fine: bool) -> None:  # noqa: FBT001 - a table of cases
    assert is_options(value) is is_fine
