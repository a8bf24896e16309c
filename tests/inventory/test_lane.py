"""The lane of a hot SKU, one request at a time: it answers as the plain way does."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory import store
from inventory.errors import InsufficientStockError, Shortage, StockUnknownError
from inventory.models import LaneRequest, Reservation, StockItem
from inventory.services.lane import find_lane, note_wait
from inventory.types import ReservationState
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hot() -> None:
    stock(HOT=3, COLD=2)
    inventory.mark_hot(sku_id="HOT", is_hot=True)


def test_a_hot_sku_is_reserved_through_its_lane_with_cold_ones_in_the_same_cart(hot: None) -> None:
    view = inventory.reserve(demands=demands(HOT=2, COLD=1), owner="chk_1")

    assert view.state is ReservationState.SOFT
    assert view.lines == demands(COLD=1, HOT=2)
    assert counters() == {"HOT": (3, 2), "COLD": (2, 1)}
    row = Reservation.objects.get()
    assert (row.id, row.owner, row.created_at, row.expires_at) == (
        *(view.reservation_id, "chk_1", view.created_at, view.expires_at),
    )
    assert (row.expires_at - row.created_at).total_seconds() == 600
    assert not LaneRequest.objects.exists()
    assert_balanced()


def test_a_short_cold_sku_refuses_the_whole_cart_and_says_how_many_are_left(hot: None) -> None:
    with pytest.raises(InsufficientStockError) as caught:
        inventory.reserve(demands=demands(HOT=1, COLD=5), owner="chk_1")

    assert caught.value.shortages == (Shortage("COLD", 5, 2, None),)
    assert caught.value.errors[0].pointer == "/items/COLD"
    assert counters() == {"HOT": (3, 0), "COLD": (2, 0)}
    assert not LaneRequest.objects.exists()


def test_overdue_reservations_of_others_end_in_the_lane(hot: None) -> None:
    old = inventory.reserve(demands=demands(HOT=3), owner="chk_1", ttl_seconds=-1)

    new = inventory.reserve(demands=demands(HOT=2), owner="chk_2")

    assert states() == {old.reservation_id: "expired", new.reservation_id: "soft"}
    assert counters()["HOT"] == (3, 2)
    assert_balanced()


def test_an_owner_with_a_reservation_changes_it_by_the_difference(hot: None) -> None:
    first = inventory.reserve(demands=demands(HOT=1), owner="chk_1")
    second = inventory.reserve(demands=demands(HOT=3), owner="chk_1")
    again = inventory.reserve(demands=demands(HOT=3), owner="chk_1")

    assert again.reservation_id == second.reservation_id
    assert states() == {first.reservation_id: "released", second.reservation_id: "soft"}
    assert not LaneRequest.objects.exists()
    assert_balanced()


def test_what_is_reserved_ahead_is_found_in_the_transaction_without_a_lock_on_stock(hot: None) -> None:
    assert inventory.reserve_ahead(demands=demands(HOT=2), owner="chk_1") is True
    with transaction.atomic():
        view = inventory.reserve(demands=demands(HOT=2), owner="chk_1")
        with running(_lock_hot) as other:
            assert other.result(20) == 2
    assert states() == {view.reservation_id: "soft"}
    assert inventory.release_owner(owner="chk_1", cause="failed") is True
    assert inventory.release_owner(owner="chk_1", cause="failed") is False
    assert counters()["HOT"] == (3, 0)


def _lock_hot() -> int:
    with transaction.atomic():
        return StockItem.objects.select_for_update(nowait=True).get(pk="HOT").reserved


def test_cold_skus_are_not_reserved_ahead(hot: None) -> None:
    assert inventory.reserve_ahead(demands=demands(COLD=1), owner="chk_1") is False
    assert states() == {}


def test_a_sku_is_hot_when_staff_say_so_and_only_as_long(hot: None) -> None:
    assert find_lane(["COLD", "HOT"]) == "HOT"
    inventory.mark_hot(sku_id="HOT", is_hot=False)
    assert find_lane(["COLD", "HOT"]) is None
    with pytest.raises(StockUnknownError):
        inventory.mark_hot(sku_id="NONE", is_hot=True)


def test_a_sku_is_hot_by_itself_when_many_wait_for_it() -> None:
    stock(MUG=1, LAMP=1)
    for number in range(50):
        note_wait(["MUG", "LAMP"] if number < 9 else ["MUG"])

    assert find_lane(["LAMP", "MUG"]) == "MUG"
    StockItem.objects.filter(pk="MUG").update(hot_until="2020-01-01T00:00Z")
    assert inventory.publish_hot() == ()
    assert find_lane(["LAMP", "MUG"]) is None


def test_a_wait_that_cannot_be_counted_is_logged_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: object, sku_ids: object) -> None:
        message = "the cache is away"
        raise ConnectionError(message)

    monkeypatch.setattr(store, "count", fail)

    note_wait(["MUG"])  # alone: at once
    with transaction.atomic():
        note_wait(["MUG"])

    assert [str(record.exc_info and record.exc_info[1]) for record in caplog.records] == ["the cache is away"] * 2


def test_a_cache_that_has_forgotten_sends_everybody_the_plain_way_until_the_next_sweep(hot: None) -> None:
    cache.clear()
    assert find_lane(["HOT"]) is None
    inventory.reserve(demands=demands(HOT=1), owner="chk_1")
    inventory.sweep()

    assert find_lane(["HOT"]) == "HOT"
    assert_balanced()


def test_requests_of_dead_processes_are_not_granted_and_are_cleared_away(hot: None) -> None:
    dead = {"lane": "HOT", "owner": "chk_dead", "reservation_id": "res_dead", "ttl_seconds": 600}
    LaneRequest.objects.create(**dead, sku_ids=["HOT"], quantities=[3])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_lanerequest SET created_at = now() - interval '10 minutes'")

    view = inventory.reserve(demands=demands(HOT=1), owner="chk_1")

    assert states() == {view.reservation_id: "soft"}
    inventory.sweep()
    assert not LaneRequest.objects.exists()


def test_staff_mark_skus_as_hot_and_it_is_noted_who_did(client: Client) -> None:
    stock(MUG=3, LAMP=2)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    url = reverse("admin:inventory_stockitem_changelist")

    for action, lane in (("mark_hot", "MUG"), ("mark_cold", None)):
        page = client.post(url, {"action": action, "_selected_action": ["MUG"]}, follow=True)
        assert "1 SKU changed." in page.content.decode()
        assert find_lane(["LAMP", "MUG"]) == lane
    assert sorted(LogEntry.objects.values_list("object_id", "change_message")) == [
        ("MUG", "Marked as hot"),
        ("MUG", "No longer hot"),
    ]
