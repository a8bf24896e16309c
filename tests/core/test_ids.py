"""Ids and secrets that strangers cannot guess."""

from __future__ import annotations

import pytest

from shop.core.ids import hash_token, is_token, new_id, new_token


def test_an_id_names_its_kind_and_never_comes_twice() -> None:
    ids = {new_id("chk") for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(one.startswith("chk_") and one[4:].isalnum() and len(one) == 28 for one in ids)


def test_a_secret_has_a_shape_that_can_be_checked_before_anything_is_looked_up() -> None:
    assert is_token(new_token())


@pytest.mark.parametrize("text", ["", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + "\n", "a" * 42 + " "])
def test_what_is_not_of_that_shape_is_no_secret(text: str) -> None:
    assert not is_token(text)


def test_a_secret_is_kept_as_its_hash_only() -> None:
    token = new_token()
    assert hash_token(token) == hash_token(token)
    assert len(hash_token(token)) == 64
    assert token not in hash_token(token)
