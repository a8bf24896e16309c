"""Cards of the product list are drawn once: what may be kept of them, and what may not."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.utils.translation import override

from shop.catalog.templatetags import product_cards
from tests.web.helpers import sell, set_price, set_stock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    product_cards._kept.cache_clear()


def _list(client: Client) -> str:
    return client.get("/").content.decode()


def test_another_price_or_stock_is_another_card(client: Client) -> None:
    sell("MUG", "Enamel mug", price=1_400, on_hand=9)
    assert "£14.00" in _list(client)
    assert "£14.00" in _list(client)
    assert product_cards._kept.cache_info().hits > 0
    set_price("MUG", 1_650)
    assert "£16.50" in _list(client)
    set_stock("MUG", 0)
    assert "Out of stock" in _list(client)


def test_each_language_has_cards_of_its_own(client: Client) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    _list(client)
    with override_settings(LANGUAGES=[("de", "Deutsch")], LANGUAGE_CODE="de"), override("de"):
        assert "14,00" in _list(client)


def test_pictures_further_down_load_lazily(client: Client) -> None:
    for number in range(14):
        sell(f"SKU-{number}", f"Thing {number}")
    assert _list(client).count('loading="lazy"') == 2


def test_a_title_is_text_and_never_markup(client: Client) -> None:
    sell("EVIL", "<script>alert(1)</script>")
    assert "<script>alert" not in _list(client)
