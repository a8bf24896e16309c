"""Masks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.core.privacy import mask, mask_owner


@given(st.emails())
def test_a_mask_keeps_the_domain_and_one_character(address: str) -> None:
    local, _, domain = address.rpartition("@")
    assert mask(address) == f"{local[0]}***@{domain}"


@pytest.mark.parametrize("text", ["", "nonsense"])
def test_what_is_no_address_is_masked_whole(text: str) -> None:
    assert mask(text) == "***"


def test_a_guest_goes_by_six_digits_and_a_customer_by_number() -> None:
    assert mask_owner("g:" + "9f" * 32) == "g:9f9f9f"
    assert mask_owner("u:1234567") == "u:1234567"
