"""Forms that say a thing twice, or in an alphabet of their own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from cart.selectors import get_cart
from shop.catalog.rules import canonical_sku_id
from shop.settings.logs import without_secrets
from tests.web.helpers import sell, shopper_with, to_review

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client(db: None) -> Client:
    sell("MUG", "Enamel mug")
    sell("CUP", "Enamel cup")
    return Client(headers={"Sec-Fetch-Site": "same-origin"})


@pytest.mark.parametrize(
    "twice", ["sku_id=MUG&sku_id=CUP&quantity=1", "sku_id=MUG&quantity=1&quantity=9", "sku_id=MUG&quantity=1&op=a&op=b"]
)
@pytest.mark.parametrize("path", ["/cart/add/", "/cart/save/"])
def test_a_field_that_is_there_twice_is_refused(client: Client, path: str, twice: str) -> None:
    answer = client.generic("POST", path, twice.encode(), content_type=FORM)
    assert answer.status_code == 400
    assert b"could not be read" in answer.content
    assert "cart_session" not in answer.cookies
    assert client.generic("POST", path, b"sku_id=MUG&quantity=1", content_type=FORM).status_code == 303


def test_an_address_that_is_typed_twice_is_refused(client: Client) -> None:
    shopper = to_review(shopper_with("MUG"))
    path = shopper.url.replace("review", "delivery")
    fields = {"csrfmiddlewaretoken": shopper.client.cookies["csrftoken"].value, "name": ["Ada", "Eve"]}
    assert shopper.client.post(path, fields).status_code == 400


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "iso-8859-1"])
def test_a_form_is_utf8(client: Client, charset: str) -> None:
    body = b"sku_id=MUG&quantity=1"
    assert client.generic("POST", "/cart/add/", body, content_type=f"{FORM}; charset={charset}").status_code == 400


@pytest.mark.parametrize("quantity", ["1,5", "1.5", "1.000", "1 000", "٣", "１", "1e1", "+2", "0x2"])
def test_a_quantity_in_another_way_of_writing_is_refused_and_never_read_as_another_number(
    client: Client, quantity: str
) -> None:
    answer = client.post("/cart/add/", {"sku_id": "MUG", "quantity": quantity}, headers={"Accept-Language": "de"})
    assert answer.status_code == 422
    assert get_cart(ref=None).lines == ()
    assert "cart_session" not in answer.cookies


@pytest.mark.parametrize("path", ["/cart/add/", "/language/", "/accounts/login/", "/orders/find/", "/admin/login/"])
def test_nobody_fills_the_disk_with_files(client: Client, path: str, settings: Settings, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    client.raise_request_exception = False
    large = SimpleUploadedFile("a.bin", b"a" * 3_000_000)
    answer = client.post(path, {"sku_id": "MUG", "quantity": "1", "file": large})
    assert answer.status_code == 400
    assert b"could not be read" in answer.content
    assert "cart_session" not in answer.cookies
    assert list(tmp_path.iterdir()) == []
    small = SimpleUploadedFile("a.bin", b"a" * 2_000_000)
    assert client.post(path, {"sku_id": "MUG", "quantity": "1", "file": small}).status_code != 400


@pytest.mark.parametrize("text", ["A" * 50_000, "-" * 50_000, "a-" * 25_000, "a b" * 17_000, "\u202e" * 50_000])
def test_long_texts_are_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    assert not canonical_sku_id(text)
    without_secrets(None, "", {"request": f"GET /{text}"})
    # Many times what it takes: a pattern that goes back and forth would need minutes.
    assert time.process_time() - began < 5
