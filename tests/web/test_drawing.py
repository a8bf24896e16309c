"""The cart page is put together from what was drawn once: what may be kept, and what may not."""

from __future__ import annotations

import cProfile
import pstats
import re

import pytest
from django.test import override_settings
from django.utils.translation import override

from cart.web import drawing
from tests.web.helpers import sell, set_price, set_stock, shopper_with
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    drawing._kept_row.cache_clear()


def _page(shopper: Shopper) -> str:
    return shopper.client.get("/cart/").content.decode()


def _values(page: str, name: str) -> set[str]:
    return set(re.findall(rf'name="{name}"\s+value="([^"]*)"', page))


def test_a_row_that_was_drawn_for_one_shopper_carries_the_token_and_version_of_the_next() -> None:
    sell("MUG", "Enamel mug")
    first, second = shopper_with("MUG"), shopper_with("MUG")
    second.press("One Enamel mug more").press("One Enamel mug less")
    pages = _page(first), _page(second)

    assert drawing._kept_row.cache_info().hits > 0
    for shopper, page in zip((first, second), pages, strict=True):
        assert len(_values(page, "csrfmiddlewaretoken")) == 1
        assert _values(page, "v") == {shopper.client.cookies["cart_v"].value}
    assert _values(pages[0], "csrfmiddlewaretoken") != _values(pages[1], "csrfmiddlewaretoken")
    assert _values(pages[0], "v") != _values(pages[1], "v")
    assert drawing._NONCE not in pages[0] + pages[1]


def test_another_price_or_stock_is_another_row() -> None:
    sell("MUG", "Enamel mug", price=1_400, on_hand=9)
    shopper = shopper_with("MUG")
    assert "£14.00" in _page(shopper)
    set_price("MUG", 1_650)
    assert "£16.50" in _page(shopper)
    set_stock("MUG", 0)
    assert "Out of stock." in _page(shopper)


def test_what_was_typed_or_refused_is_shown_once_and_not_kept() -> None:
    sell("MUG", "Enamel mug")
    shopper = shopper_with("MUG")
    kept = drawing._kept_row.cache_info().currsize
    shopper.press("Update the quantity of Enamel mug", quantity="x<y")
    assert 'value="x&lt;y"' in shopper.response.content.decode()  # type: ignore[union-attr]  # a page
    assert drawing._kept_row.cache_info().currsize == kept


def test_each_language_has_rows_of_its_own() -> None:
    sell("MUG", "Enamel mug", price=1_400)
    shopper = shopper_with("MUG")
    _page(shopper)
    before = drawing._kept_row.cache_info().misses
    with override_settings(LANGUAGES=[("de", "Deutsch")], LANGUAGE_CODE="de"), override("de"):
        assert "14,00" in _page(shopper)
    assert drawing._kept_row.cache_info().misses > before


def _calls(shopper: Shopper) -> int:
    _page(shopper)
    profile = cProfile.Profile()
    profile.enable()
    _page(shopper)
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]  # typeshed does not know it


def test_a_hundred_rows_cost_at_most_three_times_as_much_as_one() -> None:
    names = [sell(f"SKU-{number}", f"Thing {number}") for number in range(100)]
    assert _calls(shopper_with(*names)) <= 3 * _calls(shopper_with(names[0]))


def test_a_saved_row_is_kept_beside_the_cart_row_of_the_same_line() -> None:
    sell("MUG", "Enamel mug")
    shopper = shopper_with("MUG").press("Save Enamel mug for later")
    assert 'id="saved-MUG"' in _page(shopper)
    assert 'id="line-MUG"' not in _page(shopper)
    assert drawing._kept_row.cache_info().hits > 0
    assert len(_values(_page(shopper), "csrfmiddlewaretoken")) == 1


def test_a_frame_carries_the_token_and_the_total_of_whoever_sees_it() -> None:
    sell("MUG", "Enamel mug", price=1_400)
    first, second = shopper_with("MUG"), shopper_with("MUG")
    pages = _page(first), _page(second)
    assert drawing._kept_frame.cache_info().hits > 0
    assert all(len(_values(page, "csrfmiddlewaretoken")) == 1 for page in pages)
    assert _values(pages[1], "shown_total") == {"1400"}
    set_price("MUG", 1_650)
    assert _values(_page(second), "shown_total") == {"1650"}
