"""The availability panel: what it shows, what can be done there, and by whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.models import Reservation, StockEntry, StockItem
from shop.checkout import selectors as checkout
from shop.core import clock
from tests.checkout.helpers import fill, make_sku, new_guest, principal_of, put, start
from tests.inventory.helpers import assert_balanced, counters, demands, states

pytestmark = pytest.mark.django_db

URL = "/admin/availability/MUG/"


@pytest.fixture
def staff(client: Client) -> Client:
    make_sku("MUG", on_hand=9)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


def member(*permissions: str) -> Client:
    """Sign in a member of staff who may do just this."""
    user = get_user_model().objects.create_user("some@example.com", "secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, **entered: Any) -> str:
    response = client.post(URL, entered, follow=True) if entered else client.get(URL)
    assert response.status_code in (200, 422)
    return " ".join(response.content.decode().split())


def test_it_says_who_has_what_and_when_it_comes_back(staff: Client) -> None:
    guest = new_guest()
    put(guest, "MUG", 2)
    view = fill(start(guest), guest, email="ada@example.com")
    inventory.pin(reservation_id=view.reservation_id, seconds=1_200)
    inventory.reserve(demands=demands(MUG=3), owner="chk_other")
    inventory.reserve(demands=demands(MUG=1), owner="chk_late", ttl_seconds=-5)

    page = text(staff)

    assert "− 6" in page
    assert "<strong>3</strong>" in page
    assert "2 pinned by a payment" in page
    assert "1 overdue: they go to whoever needs them" in page
    assert "a***@example.com" in page
    assert "ada@example.com" not in page
    assert view.checkout_id in page
    assert "Next units expected back: 3 at" in page
    assert "drift 0" in page
    assert "Delivery received" in page or "received" in page


def test_it_costs_the_same_whoever_has_the_units(staff: Client, django_assert_max_num_queries: Any) -> None:
    text(staff)
    for number in range(8):
        inventory.reserve(demands=demands(MUG=1), owner=f"chk_{number}")

    with django_assert_max_num_queries(12):
        text(staff)


def test_a_release_is_noted_told_to_the_shopper_and_frees_the_units(staff: Client) -> None:
    guest = new_guest()
    put(guest, "MUG", 4)
    view = start(guest)

    page = text(staff, do="release", reservation=view.reservation_id, reason="duplicate", note="<b>twice</b>")

    assert "Released: 4 × MUG." in page
    assert counters() == {"MUG": (9, 0)}
    assert Reservation.objects.get().cause == "staff_duplicate"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (
        view.reservation_id,
        "Released (duplicate) 4 × MUG: <b>twice</b>",
    )
    seen = checkout.get_checkout(checkout_id=view.checkout_id, principal=principal_of(guest), now=clock.now())
    assert seen.release_reason == "the same items were reserved twice"
    again = text(staff, do="release", reservation=view.reservation_id, reason="duplicate")
    assert "no longer reserved" in again
    assert LogEntry.objects.count() == 1
    assert_balanced()


def test_a_reservation_being_paid_is_released_only_by_who_may_force_it(staff: Client) -> None:
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    inventory.pin(reservation_id=view.reservation_id, seconds=600)
    may_release = member("view_stockitem", "release_reservation")
    asked = {"do": "release", "reservation": view.reservation_id, "reason": "asked"}

    assert "A payment runs for this reservation" in text(may_release, **asked)
    assert states() == {view.reservation_id: "soft"}
    assert not LogEntry.objects.exists()

    text(staff, **asked)
    assert states() == {view.reservation_id: "released"}


def test_the_ledger_says_in_words_what_was_done_and_who_did_it(staff: Client) -> None:
    inventory.adjust(sku_id="MUG", delta=-2, reason="damaged", by=get_user_model().objects.get().pk)
    inventory.adjust(sku_id="MUG", delta=1, reason="recount", by=None)
    sold = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.commit(reservation_id=sold.reservation_id)

    page = text(staff)

    assert '<td class="number">-2</td>' in page
    assert "<td>adjustment: Damaged</td> <td></td> <td>staff@example.com</td>" in page
    assert "<td>recount</td> <td></td> <td>–</td>" in page
    assert "<td>sale</td>" in page


def test_a_release_needs_a_reason(staff: Client) -> None:
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    response = staff.post(URL, {"do": "release", "reservation": view.reservation_id, "reason": ""})

    assert response.status_code == 422
    assert "This field is required" in response.content.decode()
    assert "Choose a reservation." in text(staff, do="release", reason="asked")
    assert states() == {view.reservation_id: "soft"}


def test_ten_minutes_are_added_whatever_the_shopper_has_used_up(staff: Client) -> None:
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert "10 minutes added." in text(staff, do="extend", reservation=view.reservation_id)

    row = Reservation.objects.get()
    assert (row.expires_at - view.expires_at).total_seconds() == 600
    assert row.renewals == 0


def test_ten_minutes_more_are_ten_minutes_more_of_its_pin_while_a_payment_runs(staff: Client) -> None:
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    pinned = inventory.pin(reservation_id=view.reservation_id, seconds=900)

    text(staff, do="extend", reservation=view.reservation_id)

    row = Reservation.objects.get()
    assert row.pinned_until == row.expires_at
    assert (row.expires_at - pinned.expires_at).total_seconds() == 600


def count(**entered: int | str) -> dict[str, Any]:
    return {"do": "recount", "unshipped": 0, "note": "", "operation": f"cnt_{'0' * 24}", **entered}


def test_a_count_books_the_difference_and_keeps_what_was_sold_meanwhile(staff: Client) -> None:
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)  # sold after the page was opened with 9 on hand

    page = text(staff, **count(counted=12, unshipped=1, on_hand_then=9))

    assert "Counted. 9 on hand." in page
    assert counters() == {"MUG": (9, 0)}
    entry = StockEntry.objects.latest("id")
    assert (entry.kind, entry.delta, entry.on_hand_after) == ("recount", 2, 9)
    text(staff, **count(counted=12, unshipped=1, on_hand_then=9))
    assert counters() == {"MUG": (9, 0)}
    assert_balanced()


def test_a_count_below_what_is_reserved_is_refused_at_the_form(staff: Client) -> None:
    inventory.reserve(demands=demands(MUG=5), owner="chk_1")

    assert "At most 4 can be taken away" in text(staff, **count(counted=1, on_hand_then=9))
    assert counters() == {"MUG": (9, 5)}


def test_drift_is_shown_and_repaired(staff: Client) -> None:
    StockItem.objects.update(reserved=3)
    assert "the ledger says 9 on hand, reservations add up to 0" in text(staff)

    assert "Counters repaired; see the ledger." in text(staff, do="repair")

    assert counters() == {"MUG": (9, 0)}
    assert StockEntry.objects.latest("id").kind == "repair"
    assert "Counters agree." in text(staff, do="repair")


@pytest.mark.parametrize(
    ("permissions", "do", "status"),
    [
        ((), None, 403),
        (("view_stockitem",), None, 200),
        (("view_stockitem",), "release", 403),
        (("view_stockitem", "release_reservation"), "recount", 403),
        (("view_stockitem", "adjust_stock"), "release", 403),
        (("view_stockitem", "adjust_stock"), "repair", 302),
        (("view_stockitem", "adjust_stock"), "anything", 404),
    ],
)
def test_each_act_needs_its_permission(
    staff: Client, permissions: tuple[str, ...], do: str | None, status: int
) -> None:
    client = member(*permissions)

    response = client.post(URL, {"do": do}) if do else client.get(URL)

    assert response.status_code == status
    assert client.get("/admin/availability/NONE/").status_code in (403, 404)
    assert Client().get(URL).status_code == 302


def test_it_is_two_clicks_from_the_list_of_skus(staff: Client) -> None:
    assert URL in staff.get(reverse("admin:inventory_stockitem_changelist") + "?q=MUG").content.decode()
