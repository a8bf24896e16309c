"""The cart page by its forms: every action without JavaScript."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cart import selectors as carts
from cart import services
from cart.types import CartRef, LineChange
from shop.accounts.models import User
from shop.core import clock
from shop.core.ids import hash_token
from tests.cart.helpers import round_trips
from tests.web.helpers import sell, set_price, set_stock, shopper_with, stop_selling
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _assortment() -> None:
    sell("MUG", "Enamel mug", price=1_400, on_hand=9)
    sell("TOWEL", "Linen towel", price=2_200, on_hand=9)
    sell("TRIVET", "Cork trivet", price=900, on_hand=9)


def quantities(shopper: Shopper) -> dict[str, int]:
    ref = CartRef("g", hash_token(shopper.client.cookies["cart_session"].value))
    return {line.sku_id: line.quantity for line in carts.get_cart(ref=ref).lines}


def test_a_typed_quantity_is_saved_by_its_own_button() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    shopper.press("Update the quantity of Enamel mug", quantity="3")
    assert shopper.seen == [303, 200]
    assert shopper.sees("Enamel mug: 3. Total £64.00.")
    assert quantities(shopper) == {"MUG": 3, "TOWEL": 1}


def test_plus_and_minus_are_absolute_so_that_a_second_press_of_an_old_page_does_nothing() -> None:
    shopper = shopper_with("MUG")
    form = shopper.fields_of("One Enamel mug more")
    shopper.press("One Enamel mug more")
    shopper.post("/cart/lines/MUG/", form)
    assert quantities(shopper) == {"MUG": 2}
    shopper.press("One Enamel mug less")
    assert quantities(shopper) == {"MUG": 1}


@pytest.mark.parametrize("typed", ["abc", "-1", "1.5", "1e3", "٣", "", " ", "9" * 12])
def test_what_is_no_quantity_is_refused_at_its_field_and_kept(typed: str) -> None:
    shopper = shopper_with("MUG")
    shopper.press("Update the quantity of Enamel mug", quantity=typed)
    assert shopper.status == 422
    assert shopper.title.startswith("Error: ")
    assert shopper.sees("whole number")
    page = bytes(shopper.response.content).decode()  # type: ignore[union-attr]  # a page
    assert 'aria-invalid="true"' in page
    assert f'name="quantity" value="{typed[:6]}"' in page
    assert quantities(shopper) == {"MUG": 1}


def test_more_than_a_line_takes_is_refused_with_the_number() -> None:
    set_stock("MUG", 500)
    shopper = shopper_with("MUG")
    shopper.press("Update the quantity of Enamel mug", quantity="100")
    assert shopper.status == 422
    assert shopper.sees("99")
    assert quantities(shopper) == {"MUG": 1}


def test_more_than_there_is_becomes_what_there_is_and_says_so() -> None:
    set_stock("MUG", 2)
    shopper = shopper_with("MUG")
    shopper.press("Update the quantity of Enamel mug", quantity="7")
    assert shopper.sees("Only 2 left. Quantity set to 2.")
    assert quantities(shopper) == {"MUG": 2}


@pytest.mark.parametrize("how", ["remove", "zero"])
def test_a_removed_row_leaves_undo_in_its_place(how: str) -> None:
    shopper = shopper_with("MUG", "TOWEL", "TRIVET")
    if how == "remove":
        shopper.press("Remove Linen towel")
    else:
        shopper.press("Update the quantity of Linen towel", quantity="0")
    assert quantities(shopper) == {"MUG": 1, "TRIVET": 1}
    assert (
        shopper.text.index("Enamel mug")
        < shopper.text.index("Removed Linen towel.")
        < shopper.text.index("Cork trivet")
    )

    shopper.press("Undo: Removed Linen towel.")
    assert shopper.sees("Linen towel is back in your cart.")
    assert list(quantities(shopper)) == ["MUG", "TOWEL", "TRIVET"]


def test_undo_is_refused_in_a_sentence_when_the_row_changed_since() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    shopper.press("Remove Linen towel")
    form = shopper.fields_of("Undo: Removed Linen towel.")
    shopper.open("/p/linen-towel/").press("Add to cart")
    shopper.post("/cart/undo/", form)
    assert shopper.status == 409
    assert shopper.title.startswith("Error: ")
    assert quantities(shopper) == {"MUG": 1, "TOWEL": 1}


def test_saving_for_later_and_moving_back_keep_the_quantity() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    shopper.press("Update the quantity of Linen towel", quantity="4")
    shopper.press("Save Linen towel for later")
    assert shopper.sees("Saved Linen towel for later.")
    assert shopper.sees("Saved for later (1)")
    assert quantities(shopper) == {"MUG": 1}
    shopper.press("Move Linen towel to cart")
    assert shopper.sees("Moved Linen towel to your cart.")
    assert quantities(shopper)["TOWEL"] == 4


def test_a_saved_row_is_removed_with_undo() -> None:
    shopper = shopper_with("MUG")
    shopper.press("Save Enamel mug for later").press("Remove Enamel mug from the saved list")
    assert not shopper.sees("Saved for later (1)")
    shopper.press("Undo: Removed Enamel mug.")
    assert shopper.sees("Saved for later (1)")


def test_an_emptied_cart_comes_back_with_undo() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    shopper.press("Empty cart")
    assert shopper.sees("Your cart is empty.")
    shopper.press("Undo")
    assert quantities(shopper) == {"MUG": 1, "TOWEL": 1}


def test_prices_that_changed_are_shown_then_and_now_until_acknowledged() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    set_price("MUG", 1_600)
    set_price("TOWEL", 1_900)
    shopper.open("/cart/")
    assert shopper.sees("2 things changed since your last visit")
    assert shopper.sees("Price up £2.00. It was £14.00 when you added it; it is £16.00 now.")
    assert shopper.sees("Price down £3.00. It was £22.00 when you added it; it is £19.00 now.")
    shopper.press("Got it")
    assert not shopper.open("/cart/").sees("things changed")
    assert shopper.sees("It was £14.00 when you added it")


def test_what_is_no_longer_sold_is_named_and_goes_with_got_it() -> None:
    shopper = shopper_with("MUG", "TRIVET")
    stop_selling("TRIVET")
    shopper.open("/cart/")
    assert shopper.sees("Cork trivet is no longer sold. It is not in your total.")
    shopper.press("Check out")
    assert shopper.url == "/cart/"
    assert shopper.sees("Checkout has not started")
    shopper.press("Got it")
    assert quantities(shopper) == {"MUG": 1}
    shopper.press("Check out")
    assert shopper.url.endswith("/delivery/")


def test_a_short_line_is_fixed_with_one_button() -> None:
    shopper = shopper_with("MUG")
    shopper.press("Update the quantity of Enamel mug", quantity="4")
    set_stock("MUG", 2)
    shopper.open("/cart/")
    assert shopper.sees("Only 2 left. You have 4 in your cart.")
    shopper.press("Check out")
    assert shopper.sees("too little of the marked items")
    assert not shopper.press("Got it").sees("since your last visit")
    assert shopper.sees("Only 2 left. You have 4 in your cart.")
    shopper.press("Change to 2").press("Check out")
    assert shopper.url.endswith("/delivery/")


def test_reading_changes_nothing() -> None:
    shopper = shopper_with("MUG")
    version = shopper.client.cookies["cart_v"].value
    for _ in range(2):
        shopper.open("/cart/").open("/").open("/p/enamel-mug/")
    assert shopper.client.cookies["cart_v"].value == version
    assert not Shopper().open("/cart/").client.cookies.get("cart_session")


def test_a_page_that_was_open_for_too_long_keeps_the_typed_quantity() -> None:
    shopper = shopper_with("MUG")
    form = shopper.fields_of("Update the quantity of Enamel mug")
    shopper.post("/cart/lines/MUG/", {**form, "csrfmiddlewaretoken": ["stale"], "quantity": ["5"]})
    assert shopper.status == 403
    assert quantities(shopper) == {"MUG": 1}
    shopper.follow("Open the page again").press("Update the quantity of Enamel mug")
    assert quantities(shopper) == {"MUG": 5}


def test_a_form_from_another_site_adds_nothing_and_leads_back_with_the_quantity() -> None:
    shopper = Shopper()
    answer = shopper.client.post(
        "/cart/add/", {"sku_id": "MUG", "quantity": "3"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert not answer.cookies
    assert b"/p/enamel-mug/?sku=MUG&amp;quantity=3" in answer.content
    assert b'value="3"' in shopper.client.get("/p/enamel-mug/?sku=MUG&quantity=3").content


@pytest.mark.parametrize("origin", ["http://testserver", "https://testserver", "http://evil.example", "null", ""])
def test_without_fetch_metadata_the_origin_decides(origin: str) -> None:
    shopper = Shopper()
    shopper.client.defaults.pop("HTTP_SEC_FETCH_SITE")
    headers = {"Origin": origin} if origin else {}
    answer = shopper.client.post("/cart/add/", {"sku_id": "MUG", "quantity": "1"}, headers=headers)
    assert answer.status_code == (303 if origin == "http://testserver" else 403)


def test_the_page_costs_the_same_for_one_line_as_for_many() -> None:
    names = [sell(f"SKU-{number}", f"Thing {number}") for number in range(100)]
    reading, changing = [], []
    for lines in (1, 100):
        shopper = shopper_with(names[0])
        ref = CartRef("g", hash_token(shopper.client.cookies["cart_session"].value))
        wanted = [LineChange("set", name, 1) for name in names[:lines]]
        services.change_lines(ref=ref, changes=wanted, now=clock.now())
        with CaptureQueriesContext(connection) as queries:
            shopper.open("/cart/")
        reading.append(len(queries))
        form = shopper.fields_of("One Thing 0 more")
        with CaptureQueriesContext(connection) as queries:
            shopper.client.post("/cart/lines/SKU-0/", form, headers={"HX-Request": "true"})
        changing.append(len(queries))
    assert reading[0] == reading[1] <= 4
    assert changing[0] == changing[1] <= 6


def test_a_customers_page_costs_who_asks_in_addition_and_no_more() -> None:
    names = [sell(f"SKU-{number}", f"Thing {number}") for number in range(100)]
    customer = User.objects.create_user("ada@example.com", "long enough to be safe")
    shopper = Shopper()
    shopper.client.force_login(customer)
    reading = []
    for lines in (1, 100):
        wanted = [LineChange("set", name, 1) for name in names[:lines]]
        services.change_lines(ref=CartRef("u", str(customer.pk)), changes=wanted, now=clock.now())
        with CaptureQueriesContext(connection) as queries:
            shopper.open("/cart/")
        reading.append(len(queries))
        assert 'FROM "accounts_user"' in queries[0]["sql"]
    assert reading[0] == reading[1] <= 5


def test_the_page_is_one_round_trip_to_the_carts(monkeypatch: pytest.MonkeyPatch) -> None:
    shopper = shopper_with("MUG", "TOWEL")
    sent = round_trips(monkeypatch)
    shopper.open("/cart/")
    assert len(sent) == 1


def test_a_fragment_answers_with_the_row_and_what_depends_on_it() -> None:
    shopper = shopper_with("MUG", "TOWEL")
    answer = shopper.client.post(
        "/cart/lines/MUG/", shopper.fields_of("One Enamel mug more"), headers={"HX-Request": "true"}
    )
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count('id="line-MUG"') == 1
    assert 'id="line-TOWEL"' not in page
    for part in ("summary", "notices", "bar", "badge"):
        assert f'id="{part}"' in page
    assert '<p hx-swap-oob="innerHTML:#live">Enamel mug: 2. Total £50.00.</p>' in page
    assert answer["Cart-Version"] == shopper.client.cookies["cart_v"].value
    assert answer["Cache-Control"] == "no-store"


def test_a_refused_fragment_shows_the_error_in_its_row() -> None:
    shopper = shopper_with("MUG")
    form = shopper.fields_of("Update the quantity of Enamel mug") | {"quantity": ["x"]}
    answer = shopper.client.post("/cart/lines/MUG/", form, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()


def test_titles_are_text_and_never_markup() -> None:
    sell("EVIL", "<script>alert(1)</script>")
    page = shopper_with("EVIL").response.content.decode()  # type: ignore[union-attr]  # a page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
