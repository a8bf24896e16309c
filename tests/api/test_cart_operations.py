"""Undo, moves, the saved list, merges that ask, and what staff read of saved lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from pytest_django import Settings

from cart import recorder
from shop.accounts.models import User
from tests.api.helpers import Api, assert_problem, commands, sell, set_price

PASSWORD = "trolley-demo-1"


@pytest.fixture
def shelf(db: None) -> None:
    """Put three SKUs on the shelf, one of them scarce."""
    sell("MUG", on_hand=50)
    sell("LAMP", on_hand=50)
    sell("RARE", on_hand=2)


@pytest.fixture
def filled(api: Api, shelf: None) -> Api:
    """Give a guest with two SKUs in the cart."""
    lines = [{"sku_id": "MUG", "quantity": 4}, {"sku_id": "LAMP", "quantity": 2}]
    assert api("PATCH", "cart", {"items": lines}).status_code == 200
    return api


def held(api: Api) -> tuple[dict[str, int], dict[str, int]]:
    """Tell what is in the cart and what is on the saved list."""
    body = api("GET", "cart?expand=saved").json()
    saved = {line["sku_id"]: line["quantity"] for line in body["saved"]}
    assert body["saved_count"] == len(saved)
    return {line["sku_id"]: line["quantity"] for line in body["items"]}, saved


def move(sku_id: str, to: str, quantity: int | None = None) -> dict[str, Any]:
    """Write one move."""
    return {"sku_id": sku_id, "to": to, **({} if quantity is None else {"quantity": quantity})}


# ---------------------------------------------------------------- undo


def test_undo_brings_back_what_was_removed_emptied_moved_or_replaced(filled: Api) -> None:
    before = held(filled)
    tag = filled("GET", "cart").headers["ETag"]
    for method, path, data in (
        ("DELETE", "cart/items/MUG", None),
        ("DELETE", "cart", None),
        ("PUT", "cart/items/MUG", {"quantity": 1}),
        ("POST", "cart/moves", {"moves": [move("MUG", "saved"), move("LAMP", "saved", 1)]}),
        ("PATCH", "cart", {"items": [{"sku_id": "MUG", "quantity": 1}], "mode": "replace"}),
    ):
        answer = filled(method, path, data, If_Match=filled("GET", "cart").headers["ETag"])
        assert answer.status_code == 200, answer.content
        assert held(filled) != before
        undone = filled("POST", "cart/undo", {"undo": answer.json()["undo"]})
        assert undone.status_code == 200
        assert "undo" not in undone.json()
        assert undone.headers["ETag"] != tag
        assert held(filled) == before


def test_an_undo_that_comes_too_late_twice_or_from_a_stranger_changes_nothing(filled: Api) -> None:
    token = filled("DELETE", "cart/items/MUG").json()["undo"]
    stranger = Api()
    stranger("PUT", "cart/items/LAMP", {"quantity": 1})
    assert_problem(stranger("POST", "cart/undo", {"undo": token}), 410, "undo_expired")
    filled("PUT", "cart/items/MUG", {"quantity": 1})
    assert_problem(filled("POST", "cart/undo", {"undo": token}), 409, "undo_superseded")
    assert held(filled) == ({"MUG": 1, "LAMP": 2}, {})

    token = filled("DELETE", "cart/items/LAMP").json()["undo"]
    assert filled("POST", "cart/undo", {"undo": token}).status_code == 200
    assert_problem(filled("POST", "cart/undo", {"undo": token}), 410, "undo_expired")
    assert held(filled) == ({"MUG": 1, "LAMP": 2}, {})


def test_removing_what_is_not_there_is_done_and_gives_nothing_to_undo(filled: Api) -> None:
    for path in ("cart/items/RARE", "cart/items/no-such", "saved-items/MUG"):
        answer = filled("DELETE", path)
        assert (answer.status_code, "undo" in answer.json()) == (200, False)


# ---------------------------------------------------------------- moves


def test_lines_move_there_and_back_whole_or_in_part_and_keep_their_price(filled: Api) -> None:
    set_price("MUG", 2000)
    answer = filled("POST", "cart/moves", {"moves": [move("MUG", "saved", 3), move("LAMP", "saved")]})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["saved_count"], body["warnings"]) == (2, [])
    assert [line["sku_id"] for line in body["cart"]["items"]] == ["MUG"]
    assert held(filled) == ({"MUG": 1}, {"MUG": 3, "LAMP": 2})

    filled("POST", "cart/moves", {"moves": [move("MUG", "cart", 1), move("LAMP", "cart")]})
    assert held(filled) == ({"MUG": 2, "LAMP": 2}, {"MUG": 2})
    page = filled("GET", "cart?expand=items.price,saved").json()
    prices = {line["sku_id"]: line["price"]["added"]["amount"] for line in (*page["items"], *page["saved"])}
    assert prices == {"MUG": 1400, "LAMP": 1400}


@pytest.mark.parametrize(
    ("moves", "status", "code", "pointer"),
    [
        ([move("MUG", "saved"), move("RARE", "saved")], 422, "validation_failed", "/moves/1/sku_id"),
        ([move("MUG", "saved"), move("LAMP", "cart")], 422, "validation_failed", "/moves/1/sku_id"),
        ([move("MUG", "saved", 0)], 422, "validation_failed", "/moves/0/quantity"),
        ([move("MUG", "elsewhere")], 422, "validation_failed", "/moves/0/to"),
        ([move("MUG", "saved", 100)], 422, "quantity_too_large", "/moves/0/sku_id"),
        ([], 422, "validation_failed", "/moves"),
        ([move("MUG", "saved")] * 51, 422, "validation_failed", "/moves"),
    ],
)
def test_one_bad_move_refuses_all(
    filled: Api, moves: list[dict[str, Any]], status: int, code: str, pointer: str
) -> None:
    before = filled("GET", "cart").json()
    problem = assert_problem(filled("POST", "cart/moves", {"moves": moves}), status, code)
    assert problem["errors"][0]["pointer"] == pointer
    assert filled("GET", "cart").json() == before


def test_moving_back_more_than_there_is_refuses_all_and_says_how_many_there_are(filled: Api) -> None:
    filled("PUT", "saved-items/RARE", {"quantity": 5})
    filled("PUT", "saved-items/MUG", {"quantity": 1})
    problem = assert_problem(
        filled("POST", "cart/moves", {"moves": [move("MUG", "cart"), move("RARE", "cart")]}), 409, "insufficient_stock"
    )
    assert [(e["requested"], e["buyable"]) for e in problem["errors"]] == [(5, 2)]
    assert held(filled) == ({"MUG": 4, "LAMP": 2}, {"RARE": 5, "MUG": 1})
    assert filled("POST", "cart/moves", {"moves": [move("RARE", "cart", 2)]}).status_code == 200
    assert held(filled)[1] == {"RARE": 3, "MUG": 1}


def test_moves_are_repeated_under_one_key_without_effect_and_refused_with_another_body(filled: Api) -> None:
    wish = {"moves": [move("MUG", "saved", 1)]}
    first, again = (filled("POST", "cart/moves", wish, key="k-1") for _ in range(2))
    assert again.json() == first.json()
    assert ("Idempotent-Replayed" in first.headers, again.headers["Idempotent-Replayed"]) == (False, "true")
    assert held(filled)[1] == {"MUG": 1}
    other = {"moves": [move("MUG", "saved", 2)]}
    assert_problem(filled("POST", "cart/moves", other, key="k-1"), 422, "idempotency_key_reused")
    assert held(filled)[1] == {"MUG": 1}


# ---------------------------------------------------------------- the saved list


def test_the_saved_list_is_set_read_and_emptied_without_touching_the_cart(filled: Api) -> None:
    content = filled("GET", "cart").json()["items"]
    assert filled("PUT", "saved-items/RARE", {"quantity": 9}).json()["saved_count"] == 1
    filled("PUT", "saved-items/RARE", {"quantity": 3})
    answer = filled("GET", "saved-items?expand=items.price,items.availability")
    assert [(line["sku_id"], line["quantity"]) for line in answer.json()["items"]] == [("RARE", 3)]
    assert answer.json()["items"][0]["availability"]["buyable"] == 2
    assert filled("GET", "saved-items?expand=items.price", If_None_Match=answer.headers["ETag"]).status_code == 304

    removed = filled("DELETE", "saved-items/RARE")
    assert removed.json()["saved_count"] == 0
    assert filled("POST", "cart/undo", {"undo": removed.json()["undo"]}).json()["saved_count"] == 1
    assert filled("PUT", "saved-items/RARE", {"quantity": 0}).json()["saved_count"] == 0
    assert filled("GET", "cart").json()["items"] == content


def test_a_full_saved_list_says_how_many_it_takes(filled: Api, settings: Settings) -> None:
    settings.CART = replace(settings.CART, max_saved=1)
    filled("PUT", "saved-items/RARE", {"quantity": 1})
    for method, path, data in (
        ("PUT", "saved-items/MUG", {"quantity": 1}),
        ("POST", "cart/moves", {"moves": [move("MUG", "saved")]}),
    ):
        problem = assert_problem(filled(method, path, data), 422, "saved_list_full")
        assert "1" in problem["detail"]
    assert held(filled) == ({"MUG": 4, "LAMP": 2}, {"RARE": 1})


@pytest.mark.parametrize("quantity", [-1, 100, "1", 1.0, True, None])
def test_only_a_whole_number_within_the_cap_is_saved(filled: Api, quantity: object) -> None:
    assert filled("PUT", "saved-items/MUG", {"quantity": quantity}).status_code == 422
    assert held(filled)[1] == {}


def test_an_unknown_or_withdrawn_sku_is_not_saved(filled: Api) -> None:
    sell("OLD", is_sellable=False)
    assert_problem(filled("PUT", "saved-items/NONE", {"quantity": 1}), 404, "sku_unknown")
    assert_problem(filled("PUT", "saved-items/OLD", {"quantity": 1}), 422, "sku_not_sellable")


# ---------------------------------------------------------------- reads that cost little


def test_a_304_of_the_minimal_cart_reads_one_field(
    filled: Api, cart_redis: Any, django_assert_num_queries: Any
) -> None:
    for path in ("cart", "cart/count"):
        tag = filled("GET", path).headers["ETag"]
        with django_assert_num_queries(0), commands(cart_redis) as sent:
            assert filled("GET", path, If_None_Match=tag).status_code == 304
        assert sent == ["HGET"]
        filled("PUT", "cart/items/MUG", {"quantity": 9 if path == "cart" else 8})
        assert filled("GET", path, If_None_Match=tag).status_code == 200


# ---------------------------------------------------------------- merges that ask


@pytest.fixture
def asked(shelf: None, settings: Settings) -> Api:
    """Give a customer whose sign-in left a question about one SKU."""
    settings.CART = replace(settings.CART, merge_policy="prompt")
    User.objects.create_user("ada@example.com", PASSWORD)
    api = Api()
    api.sign_in("ada@example.com", PASSWORD)
    api("PUT", "cart/items/MUG", {"quantity": 2})
    guest = Api()
    guest("PATCH", "cart", {"items": [{"sku_id": "MUG", "quantity": 5}, {"sku_id": "LAMP", "quantity": 1}]})
    guest.sign_in("ada@example.com", PASSWORD)
    return api


def test_a_merge_asks_about_what_differs_and_takes_the_answer_once(asked: Api) -> None:
    page = asked("GET", "cart?expand=notices").json()
    question = page["merge_question"]
    assert question["items"] == [{"sku_id": "MUG", "account": 2, "guest": 5}]
    wish = {"source": {"question": question["id"]}, "policy": "sum", "merge_id": "m1"}

    first, again = (asked("POST", "cart/merge", wish) for _ in range(2))

    assert first.status_code == 200, first.content
    assert {line["sku_id"]: line["quantity"] for line in first.json()["cart"]["items"]} == {"MUG": 7, "LAMP": 1}
    assert "question" not in first.json()
    assert first.json()["receipt"][-1] == {
        "sku_id": "MUG",
        "outcome": "summed",
        "account": 2,
        "guest": 5,
        "result": 7,
    }
    assert (again.headers["Idempotent-Replayed"], again.json()["receipt"]) == ("true", first.json()["receipt"])
    assert asked("GET", "cart?expand=page").json()["merge_question"] is None
    undone = asked("POST", "cart/undo", {"undo": first.json()["undo"]})
    assert undone.json()["items"][0]["quantity"] == 2
    assert asked("GET", "cart?expand=page").json()["merge_question"] == question


def test_an_answer_may_choose_by_sku_and_the_shops_default_keeps_the_larger(asked: Api) -> None:
    question = asked("GET", "cart?expand=notices").json()["merge_question"]["id"]
    wish = {
        "source": {"question": question},
        "choices": [{"sku_id": "MUG", "policy": "keep_saved"}],
        "merge_id": "m1",
    }
    body = asked("POST", "cart/merge", wish).json()
    assert body["receipt"][-1]["outcome"] == "kept_saved"
    asked("POST", "cart/undo", {"undo": body["undo"]})
    body = asked("POST", "cart/merge", {"source": {"question": question}, "merge_id": "m2"}).json()
    assert body["receipt"][-1]["result"] == 5


def test_a_lines_cart_merged_with_prompt_answers_with_its_question(asked: Api) -> None:
    lines = [{"sku_id": "LAMP", "quantity": 4}]
    wish = {"source": {"items": lines}, "policy": "prompt", "merge_id": "m9"}
    question = asked("POST", "cart/merge", wish).json()["question"]
    assert {line["sku_id"]: (line["account"], line["guest"]) for line in question["items"]} == {
        "MUG": (2, 5),
        "LAMP": (1, 4),
    }


def test_what_was_not_asked_takes_no_answer(asked: Api) -> None:
    before = asked("GET", "cart?expand=page").json()
    question = before["merge_question"]["id"]
    mug = [{"sku_id": "MUG", "policy": "sum"}]
    for wish, status, code in (
        ({"source": {"question": "made-up"}}, 409, "merge_question_gone"),
        ({"source": {"question": question}, "policy": "prompt"}, 422, "validation_failed"),
        ({"source": {"question": question}, "choices": [{"sku_id": "MUG", "policy": "prompt"}]}, 422, None),
        ({"source": {"items": []}, "choices": mug}, 422, "validation_failed"),
        ({"source": {"question": question, "items": []}}, 422, "validation_failed"),
    ):
        answer = asked("POST", "cart/merge", {**wish, "merge_id": "m1"})
        assert_problem(answer, status, code or "validation_failed")
    assert asked("GET", "cart?expand=page").json() == before


# ---------------------------------------------------------------- for staff


def test_staff_who_may_read_what_shoppers_defer_a_page_at_a_time(filled: Api) -> None:
    filled("PUT", "saved-items/MUG", {"quantity": 2})
    filled("PUT", "saved-items/LAMP", {"quantity": 1})
    recorder.drain()
    set_price("LAMP", 1000)
    user = User.objects.create_user("staff@example.com", PASSWORD, is_staff=True)
    staff = Api()
    assert_problem(staff("GET", "saved-lines"), 401, "unauthenticated")
    staff.sign_in(user.email, PASSWORD)
    assert_problem(staff("GET", "saved-lines"), 403, "forbidden")
    user.user_permissions.add(Permission.objects.get(codename="view_savedline"))

    first = staff("GET", "saved-lines?limit=1")
    assert first.headers["Cache-Control"] == "no-store"
    second = staff("GET", f"saved-lines?limit=1&cursor={first.json()['next_cursor']}").json()
    assert [line["sku_id"] for line in (*first.json()["items"], *second["items"])] == ["LAMP", "MUG"]
    assert second["next_cursor"] is None
    (fallen,) = staff("GET", "saved-lines?dropped=1").json()["items"]
    assert (fallen["user_id"], fallen["price_drop"]) == (None, {"amount": 400, "currency": "GBP"})
    assert staff("GET", "saved-lines?sku_id=MUG&user_id=1").json()["items"] == []
    for query in ("cursor=x", "sku_id=@", "limit=0", "dropped=2", "user_id=-1", "user_id=x"):
        assert_problem(staff("GET", f"saved-lines?{query}"), 422, "validation_failed")

    user.is_staff = False
    user.save()
    assert_problem(staff("GET", "saved-lines"), 403, "forbidden")


# ---------------------------------------------------------------- beside one's own checkout


def check_out(api: Api) -> str:
    """Start a checkout for what is in the cart; give its id."""
    started = api("POST", "checkouts", {}, key=True, If_Match=api("GET", "cart").headers["ETag"])
    assert started.status_code == 201
    return str(started.json()["id"])


@pytest.mark.parametrize("how", ["header", "cookie"])
def test_what_ones_own_checkout_has_reserved_still_counts_as_there(api: Api, shelf: None, how: str) -> None:
    api("PUT", "cart/items/RARE", {"quantity": 1})
    checkout = check_out(api)
    own: dict[str, Any] = {"Own_Checkout": checkout} if how == "header" else {"Cookie": f"own_checkout={checkout}"}

    assert_problem(api("PUT", "cart/items/RARE", {"quantity": 2}), 409, "insufficient_stock")
    raised = api("PUT", "cart/items/RARE?expand=items.availability", {"quantity": 2}, **own)

    assert raised.status_code == 200
    assert raised.json()["items"][0]["availability"]["buyable"] == 2
    assert api("GET", "cart?expand=notices", **own).json()["notices"] == []
    assert api("POST", "cart/moves", {"moves": [move("RARE", "saved")]}, **own).status_code == 200
    assert api("POST", "cart/moves", {"moves": [move("RARE", "cart")]}, **own).status_code == 200
    assert api("PATCH", "cart", {"items": [{"sku_id": "RARE", "quantity": 1}]}, **own).status_code == 200
    added = api("POST", "cart/items", {"sku_id": "RARE", "quantity": 1}, key=True, **own)
    assert held(api)[0] == {"RARE": 2}
    assert added.status_code == 200


def test_starting_a_checkout_leaves_its_id_in_a_cookie(api: Api, shelf: None) -> None:
    api("PUT", "cart/items/RARE", {"quantity": 1})
    started = api("POST", "checkouts", {}, key=True, If_Match=api("GET", "cart").headers["ETag"])
    assert started.cookies["own_checkout"].value == started.json()["id"]


@pytest.mark.parametrize("claimed", ["chk_000000000000000000000000", "nonsense", "' OR 1=1"])
def test_what_others_have_reserved_stays_theirs(api: Api, shelf: None, claimed: str) -> None:
    api("PUT", "cart/items/RARE", {"quantity": 1})
    check_out(api)
    other = Api()
    answer = other("PUT", "cart/items/RARE", {"quantity": 2}, Own_Checkout=claimed)
    assert_problem(answer, 409, "insufficient_stock")
