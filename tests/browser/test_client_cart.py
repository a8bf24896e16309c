"""A guest's cart that stays in the browser (`CART_GUEST_STORAGE=client`)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect

from cart import selectors, services
from shop.checkout.models import CheckoutLine
from shop.core import clock
from tests.browser.conftest import Open, Visitor, tap
from tests.browser.test_accessibility import look
from tests.browser.test_cart import LISTEN, focused
from tests.journeys.test_page_sign_in_joins_carts import PASSWORD, make_customer
from tests.web.helpers import sell, set_price, set_stock, stop_selling

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _client_carts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server, a process of its own, keep no cart of a guest."""
    monkeypatch.setenv("CART_GUEST_STORAGE", "client")


def kept(page: Page, key: str = "cart") -> Any:
    return json.loads(page.evaluate(f"localStorage.getItem('{key}')") or "[]")


def quantities(page: Page, key: str = "cart") -> dict[str, int]:
    return {line["sku_id"]: line["quantity"] for line in kept(page, key)}


def filled(visit: Open) -> Visitor:
    sell("MUG", "Enamel mug", price=1_400, on_hand=40)
    sell("TOWEL", "Linen towel", price=2_200)
    sell("TRIVET", "Cork trivet", price=900)
    visitor = visit()
    visitor.add("/p/enamel-mug/", "/p/linen-towel/", "/p/cork-trivet/")
    visitor.open("/cart/")
    expect(visitor.page.locator("#sum-total")).to_have_text("£45.00")
    return visitor


def test_a_guest_adds_changes_and_returns_and_the_server_keeps_nothing(visit: Open, cart_redis: redis.Redis) -> None:
    sell("MUG", "Enamel mug", price=1_400, on_hand=40)
    visitor = visit()
    page = visitor.page
    visitor.add("/p/enamel-mug/")
    expect(page.locator("#answer")).to_contain_text("Added Enamel mug. Cart: 1 item.")
    expect(page.locator("#badge")).to_contain_text("1")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/" in request.url else None)
    visitor.open("/cart/")
    expect(page.locator("#sum-total")).to_have_text("£14.00")
    assert sent == [f"{visitor.url}/api/v1/skus?ids=MUG"]
    page.locator("#quantity-MUG").fill("3")
    page.keyboard.press("Enter")
    expect(page.locator("#sum-total")).to_have_text("£42.00")
    (line,) = kept(page)
    assert set(line) == {"sku_id", "quantity", "price_at_add", "added_at"}
    assert (line["quantity"], line["price_at_add"]) == (3, 1_400)
    other = visitor.context.new_page()
    other.goto(visitor.url)
    expect(other.locator("#badge")).to_contain_text("3")
    # Chromium without a screen takes no clicks in a window behind another.
    page.locator("#plus-MUG").dispatch_event("click")
    expect(other.locator("#badge")).to_contain_text("4")
    assert {cookie["name"] for cookie in visitor.context.cookies()} & {"cart_session", "cart_n", "cart_v"} == set()
    assert list(cart_redis.scan_iter("*cart:*g:*")) == []


def test_ten_fast_taps_keep_the_focus_and_are_said_once(visit: Open) -> None:
    page = filled(visit).page
    page.evaluate(LISTEN)
    tap(page.get_by_role("button", name="One Enamel mug more"), times=10)
    expect(page.locator("#sum-total")).to_have_text("£185.00")
    expect(page.locator("#live")).to_have_text("Enamel mug: 11. Subtotal £185.00.")
    assert page.locator("#quantity-MUG").input_value() == "11"
    assert focused(page) == "plus-MUG"
    assert page.evaluate("window.said") == ["Enamel mug: 11. Subtotal £185.00."]


def test_what_changed_is_said_until_it_was_read(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.locator("#quantity-TOWEL").fill("4")
    page.keyboard.press("Enter")
    set_price("MUG", 1_600)
    stop_selling("TRIVET")
    set_stock("TOWEL", 2)
    page.reload()
    expect(page.get_by_role("heading", name="3 things changed since your last visit")).to_be_visible()
    expect(page.locator("#line-MUG")).to_contain_text("Price up £2.00. It was £14.00")
    expect(page.locator("#blocked")).to_contain_text("Linen towel; Cork trivet")
    expect(page.locator("#digest-list")).to_be_hidden()
    page.locator("#digest summary").click()
    expect(page.locator("#digest-list")).to_contain_text("Cork trivet is no longer sold. It is not in your total.")
    look(visitor, "client cart with everything wrong")
    page.get_by_role("button", name="Change to 2").click()
    page.get_by_role("button", name="Got it").click()
    expect(page.locator("#checked")).to_have_text("Prices and stock are those of now.")
    expect(page.locator("#line-TRIVET")).to_have_count(0)
    page.reload()
    expect(page.locator("#line-MUG")).to_contain_text("It was £14.00")
    expect(page.locator("#sum-total")).to_have_text("£60.00")
    expect(page.locator("#checked")).to_have_text("Prices and stock are those of now.")


def test_remove_undo_save_and_move(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    before = kept(page)
    page.get_by_role("button", name="Remove Linen towel").click()
    expect(page.get_by_role("button", name="Undo: Removed Linen towel.")).to_be_focused()
    look(visitor, "client cart with undo")
    page.reload()
    page.get_by_role("button", name="Undo: Removed Linen towel.").click()
    expect(page.locator("#live")).to_have_text("Linen towel is back in your cart.")
    assert kept(page) == before
    page.get_by_role("button", name="Save Linen towel for later").click()
    expect(page.get_by_role("heading", name="Saved for later (1)")).to_be_visible()
    expect(page.locator("#badge")).to_contain_text("2")
    look(visitor, "client cart with a saved line")
    page.get_by_role("button", name="Move Linen towel to cart").click()
    expect(page.locator("#sum-total")).to_have_text("£45.00")
    assert quantities(page) == {"MUG": 1, "TRIVET": 1, "TOWEL": 1}
    assert quantities(page, "cart_saved") == {}


def test_what_is_damaged_is_named_and_the_rest_is_kept(visit: Open) -> None:
    page = filled(visit).page
    page.evaluate("""localStorage.setItem("cart", JSON.stringify([
        ...JSON.parse(localStorage.getItem("cart")), {sku_id: "<b>EVIL</b>", quantity: 1e9}, 7]))""")
    page.reload()
    expect(page.locator("#notices")).to_contain_text("Left out: <b>EVIL</b>, an unknown item.")
    assert quantities(page) == {"MUG": 1, "TOWEL": 1, "TRIVET": 1}
    page.get_by_role("button", name="Got it").click()
    page.evaluate("localStorage.setItem('cart', '{not json')")
    page.reload()
    expect(page.locator("#notices")).to_contain_text("damaged")
    expect(page.get_by_role("heading", name="Your cart is empty.")).to_be_visible()


def test_when_prices_cannot_be_had_the_rows_stay(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.route("**/api/v1/skus*", lambda route: route.abort())
    page.reload()
    expect(page.locator("#notices")).to_contain_text("Prices cannot be shown now. Try again.")
    assert page.locator("#lines > li").count() == 3
    visitor.troubles.clear()
    page.unroute("**/api/v1/skus*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#sum-total")).to_have_text("£45.00")


def test_checkout_hands_the_cart_over_and_a_lost_answer_costs_nothing(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.route("**/cart/adopt/", lambda route: (route.fetch(), route.abort())[1])
    page.get_by_role("button", name="Check out").click()
    expect(page.locator("#live")).to_have_text("Not saved. Check your connection and try again.")
    assert len(kept(page)) == 3
    visitor.troubles.clear()
    page.unroute("**/cart/adopt/")
    page.get_by_role("button", name="Check out").click()
    page.get_by_role("heading", name="Delivery").wait_for()
    assert kept(page) == []
    ordered = CheckoutLine.objects.values_list("sku_id", "quantity")
    assert dict(ordered) == {"MUG": 1, "TOWEL": 1, "TRIVET": 1}


def test_signing_in_joins_it_to_the_customers(visit: Open) -> None:
    ref = make_customer()
    visitor = filled(visit)
    page = visitor.page
    services.set_quantity(ref=ref, sku_id="MUG", quantity=4, now=clock.now())
    visitor.open("/accounts/login/?next=/cart/")
    page.get_by_label("Email", exact=True).fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Enamel mug: kept 4 (the other cart had 1)").wait_for()
    expect(page.locator("#badge")).to_contain_text("6")
    assert kept(page) == []
    held = {line.sku_id: line.quantity for line in selectors.get_cart(ref=ref).lines}
    assert held == {"MUG": 4, "TOWEL": 1, "TRIVET": 1}


def test_without_scripts_the_forms_make_a_cart_on_the_server(visit: Open) -> None:
    sell("MUG", "Enamel mug", price=1_400)
    visitor = visit(scripts=False)
    page = visitor.open("/p/enamel-mug/")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#line-MUG")).to_contain_text("£14.00")


def test_whatever_somebody_writes_into_the_storage_the_shops_prices_and_limits_stand(visit: Open) -> None:
    visitor = filled(visit)
    page = visitor.page
    page.evaluate("""localStorage.setItem("cart", JSON.stringify([
        {sku_id: "MUG", quantity: 2, price_at_add: 1, added_at: "2026-01-01T00:00:00Z", total: 0, title: "<b>Free</b>"},
        ...[0, -1, 1.5, "3", true, null, 100, 1e300].map((quantity, index) =>
            ({sku_id: `Q${index}`, quantity, price_at_add: 1, added_at: "2026-01-01T00:00:00Z"})),
        {sku_id: "__proto__", quantity: 1, price_at_add: null, added_at: "2026-01-01T00:00:00Z"},
        ...Array.from({length: 10000}, (_, index) =>
            ({sku_id: `S${index}`, quantity: 1, price_at_add: 1, added_at: "2026-01-01T00:00:00Z"}))]))
        localStorage.setItem("somebody_elses", "{not json")""")
    page.reload()

    expect(page.locator("#sum-total")).to_have_text("£28.00")
    held = quantities(page)
    assert (len(held), held["MUG"]) == (100, 2)
    assert not [sku_id for sku_id in held if sku_id.startswith("Q")]
    expect(page.locator("#line-MUG")).not_to_contain_text("Free")
    assert page.evaluate("localStorage.getItem('somebody_elses')") == "{not json"

    page.evaluate("""for (const key of ["cart", "cart_saved", "cart_undo", "cart_ack", "cart_damaged", "cart_merge"])
        localStorage.setItem(key, '{"length": 3}')""")
    page.reload()
    expect(page.get_by_role("heading", name="Your cart is empty.")).to_be_visible()
    visitor.add("/p/enamel-mug/")
    page.goto(f"{visitor.url}/cart/")
    expect(page.locator("#sum-total")).to_have_text("£14.00")
