"""What the shopper types in: each wrong field named, all at once, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from cart.types import CartRef
from shop.checkout import models, services
from shop.checkout.errors import CheckoutChangedError
from shop.checkout.services.details import is_typed_text
from shop.checkout.types import Address, CheckoutView
from shop.core import clock
from shop.core.errors import RejectedError
from tests.checkout.helpers import ADDRESS, later, make_sku, new_guest, principal_of, put, set_price, start


def begin() -> tuple[CartRef, CheckoutView]:
    """Start a checkout."""
    make_sku(price=1_200)
    ref = new_guest()
    put(ref, "MUG")
    return ref, start(ref)


def type_in(ref: CartRef, view: CheckoutView, version: int | None = None, /, **details: str | bool) -> CheckoutView:
    """Send details."""
    return services.update_details(
        checkout_id=view.checkout_id,
        principal=principal_of(ref),
        details=details,
        expected_version=version,
        now=clock.now(),
    )


def refusals(ref: CartRef, view: CheckoutView, **details: str | bool) -> dict[str, str]:
    """Send details that are refused; give code by pointer, after checking that nothing was changed."""
    before = models.Checkout.objects.values().get(pk=view.checkout_id)
    with pytest.raises(RejectedError) as refused:
        type_in(ref, view, **details)
    assert models.Checkout.objects.values().get(pk=view.checkout_id) == before
    return {detail.pointer: detail.code for detail in refused.value.errors}


@pytest.mark.django_db
def test_all_that_is_needed_is_kept_and_nothing_is_missing_any_more() -> None:
    ref, view = begin()

    shown = type_in(ref, view, email=" ada@example.com ", consent_reminders=True, **ADDRESS)

    assert shown.email == "ada@example.com"
    assert shown.consent_reminders
    assert shown.address == Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
    assert shown.requirements == ()
    assert shown.version == view.version + 1


@pytest.mark.django_db
def test_all_wrong_fields_are_named_at_once() -> None:
    ref, view = begin()
    assert refusals(ref, view, email="nonsense", name=" ", line1="", city="x" * 101, postcode="", country="") == {
        "/email": "email_invalid",
        "/shipping_address/name": "name_missing",
        "/shipping_address/line1": "line1_missing",
        "/shipping_address/city": "too_long",
        "/shipping_address/postcode": "postcode_missing",
        "/shipping_address/country": "country_missing",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("", "email_missing"),
        ("ada", "email_invalid"),
        ("ada@example.com\nBcc: eve@example.com", "email_invalid"),
        ("ada@example.com\r\nx", "email_invalid"),
        ("ada@exa mple.com", "email_invalid"),
        ("a@" + "b" * 250 + ".com", "too_long"),
        ("ada\x00@example.com", "email_invalid"),
    ],
)
def test_mail_addresses_that_are_none_are_refused(email: str, code: str) -> None:
    ref, view = begin()
    assert refusals(ref, view, email=email) == {"/email": code}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("country", "postcode", "code"),
    [
        ("GB", "12345", "postcode_invalid"),
        ("US", "SW1Y 4JH", "postcode_invalid"),
        ("DE", "1234", "postcode_invalid"),
        ("DE", "１２３４５", "postcode_invalid"),
        ("JP", "<b>", "postcode_invalid"),
        ("GB", "", "postcode_missing"),
    ],
)
def test_postcodes_are_those_of_the_country(country: str, postcode: str, code: str) -> None:
    ref, view = begin()
    details = {**ADDRESS, "country": country, "postcode": postcode}
    assert refusals(ref, view, **details) == {"/shipping_address/postcode": code}


@pytest.mark.django_db
@pytest.mark.parametrize("country", ["XX", "ZZ", "EU", "G1", "UK"])
def test_countries_that_do_not_exist_are_refused(country: str) -> None:
    ref, view = begin()
    assert refusals(ref, view, **{**ADDRESS, "country": country})["/shipping_address/country"] == "country_unknown"


@pytest.mark.django_db
@pytest.mark.parametrize(("country", "postcode"), [("gb", "sw1y 4jh"), ("DE", "10115"), ("HK", ""), ("IE", "D02 X285")])
def test_addresses_are_taken_from_everywhere(country: str, postcode: str) -> None:
    ref, view = begin()
    shown = type_in(ref, view, **{**ADDRESS, "country": country, "postcode": postcode})
    assert shown.address is not None
    assert (shown.address.country, shown.address.postcode) == (country.upper(), postcode.upper())


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "محمد", "Zoë 👩‍👩‍👧", "O'Brien"])
def test_names_of_every_script_are_kept_as_text(name: str) -> None:
    ref, view = begin()
    shown = type_in(ref, view, **{**ADDRESS, "name": name})
    assert shown.address == replace(Address("", "12 St James's Square", "London", "SW1Y 4JH", "GB"), name=name)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Ada\nBcc: eve@example.com", "Ada\x00", "Ada\u2028x", "\ud800da"])
def test_line_breaks_and_control_characters_are_refused(name: str) -> None:
    ref, view = begin()
    assert refusals(ref, view, **{**ADDRESS, "name": name}) == {"/shipping_address/name": "invalid_characters"}


@pytest.mark.django_db
def test_an_older_version_changes_nothing_and_says_the_present_one() -> None:
    ref, view = begin()
    type_in(ref, view, email="ada@example.com")
    with pytest.raises(CheckoutChangedError) as refused:
        type_in(ref, view, view.version, email="eve@example.com")
    assert refused.value.version == view.version + 1
    assert models.Checkout.objects.get().email == "ada@example.com"


@pytest.mark.django_db
@pytest.mark.parametrize(("price", "total"), [(1_000, 1_000), (1_500, 1_200)])
def test_after_the_price_lock_a_fall_is_applied_and_a_rise_waits_without_losing_what_was_typed(
    price: int, total: int
) -> None:
    ref, view = begin()
    set_price("MUG", price)
    with time_machine.travel(later(901), tick=True):
        shown = type_in(ref, view, email="ada@example.com")
        assert shown.email == "ada@example.com"
        assert shown.total.minor == total
        assert (shown.lock_expires_at > clock.now()) == (price < 1_200)


@pytest.mark.django_db
def test_typing_extends_neither_reservation_nor_price_lock() -> None:
    ref, view = begin()
    shown = type_in(ref, view, email="ada@example.com")
    assert shown.reservation_expires_at == view.reservation_expires_at
    assert shown.lock_expires_at == view.lock_expires_at
    assert shown.lock_expires_at - view.server_time <= timedelta(seconds=900)


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_what_people_type_is_text(text: str) -> None:
    assert is_typed_text(text)
