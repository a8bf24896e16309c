"""The lane of a hot SKU, one request at a time: it answers as the plain way does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory import store
from inventory.errors import InsufficientStockError, Shortage, StockBusyError, StockUnknownError
from inventory.models import Reservation, StockItem
from inventory.services import heating, lane
from inventory.services.heating import find_hot, note_wait
from inventory.types import LaneState, ReservationState
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock
from tests.races.rivals import held_open, running
from tests.waiting import PATIENCE_SECONDS

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
    assert_balanced()


def test_a_short_cold_sku_refuses_the_whole_cart_and_says_how_many_are_left(hot: None) -> None:
    with pytest.raises(InsufficientStockError) as caught:
        inventory.reserve(demands=demands(HOT=1, COLD=5), owner="chk_1")

    assert caught.value.shortages == (Shortage("COLD", 5, 2, None),)
    assert caught.value.errors[0].pointer == "/items/COLD"
    assert counters() == {"HOT": (3, 0), "COLD": (2, 0)}


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
    assert_balanced()


def test_what_is_reserved_ahead_is_found_in_the_transaction_without_a_lock_on_stock(hot: None) -> None:
    assert inventory.reserve_ahead(demands=demands(HOT=2), owner="chk_1") is True
    with transaction.atomic():
        view = inventory.reserve(demands=demands(HOT=2), owner="chk_1")
        with running(_lock_hot) as other:
            assert other.result(PATIENCE_SECONDS) == 2
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
    assert find_hot(["HOT", "COLD"]) == ("HOT",)
    inventory.mark_hot(sku_id="HOT", is_hot=False)
    assert find_hot(["HOT", "COLD"]) == ()
    with pytest.raises(StockUnknownError):
        inventory.mark_hot(sku_id="NONE", is_hot=True)


def test_a_sku_is_hot_by_itself_when_many_wait_for_it() -> None:
    stock(MUG=1, LAMP=1)
    for number in range(50):
        note_wait(["MUG", "LAMP"] if number < 9 else ["MUG"])

    assert find_hot(["LAMP", "MUG"]) == ("MUG",)
    StockItem.objects.filter(pk="MUG").update(hot_until="2020-01-01T00:00Z")
    assert inventory.publish_hot() == ()
    assert find_hot(["LAMP", "MUG"]) == ()


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


def forget() -> None:
    """Let what this process believes be older than it may be."""
    heating._known = (0.0, heating._known[1])


def test_a_process_asks_once_a_second_which_skus_are_hot(
    hot: None, clean_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heating.KNOWN_SECONDS == 1
    monkeypatch.setattr(heating, "KNOWN_SECONDS", 3_600)  # however slow this machine is
    forget()
    assert find_hot(["HOT"]) == ("HOT",)

    cache.set(heating.HOT_KEY, ["COLD"])
    assert find_hot(["HOT", "COLD"]) == ("HOT",)

    forget()
    assert find_hot(["HOT", "COLD"]) == ("COLD",)


def test_a_cache_that_has_forgotten_sends_everybody_the_plain_way_until_the_next_sweep(hot: None) -> None:
    cache.clear()
    forget()
    assert find_hot(["HOT"]) == ()
    inventory.reserve(demands=demands(HOT=1), owner="chk_1")
    inventory.sweep()

    assert find_hot(["HOT"]) == ("HOT",)
    assert_balanced()


def request(number: int, **quantities: int) -> lane._Request:
    """Make a request of an owner `chk_<number>`; HOT is hot in all of them."""
    return lane._Request(f"chk_{number}", f"res_{number}", 600, demands(**quantities), ("HOT",))


def decided(*requests: lane._Request) -> list[str]:
    return [answer.state.value for answer in lane.decide(requests)]


def test_one_that_steps_back_for_a_cold_sku_holds_nobody_up() -> None:
    stock(HOT=3, COLD=1)

    answers = lane.decide([request(1, HOT=1), request(2, COLD=2, HOT=1), request(3, HOT=1), request(4, HOT=2)])

    assert [answer.state for answer in answers] == [
        *(LaneState.GRANTED, LaneState.SHORT, LaneState.GRANTED, LaneState.SHORT),
    ]
    short: list[object] = [answer.short for answer in answers]
    assert short == [None, [["COLD", 2, 1]], None, [["HOT", 2, 1]]]
    assert counters() == {"HOT": (3, 2), "COLD": (1, 0)}
    assert_balanced()


def test_what_is_in_nobodys_stock_is_short() -> None:
    stock(HOT=3)
    assert decided(request(1, HOT=1), request(2, HOT=1, NONE=1)) == ["granted", "short"]
    assert_balanced()


def test_who_asks_twice_or_has_a_reservation_is_sent_elsewhere_and_takes_nothing() -> None:
    stock(HOT=3)
    inventory.reserve(demands=demands(HOT=1), owner="chk_1")

    for turn in ("enough for all", "short"):
        mine, other = request(2, HOT=1), replace(request(2, HOT=1), reservation_id="res_other")
        asked = [request(1, HOT=1), mine, other] if turn == "enough for all" else [request(1, HOT=2), mine]
        expected = ["elsewhere", "granted", "elsewhere"] if turn == "enough for all" else ["elsewhere", "granted"]
        if turn == "short":
            inventory.release_owner(owner="chk_2", cause="again")
            asked = [replace(one, reservation_id=f"{one.reservation_id}_again") for one in asked]
        assert decided(*asked) == expected, turn
        assert counters() == {"HOT": (3, 2)}
    assert_balanced()


def test_units_of_overdue_reservations_go_to_the_first_who_ask() -> None:
    stock(HOT=3, COLD=5)
    old = inventory.reserve(demands=demands(HOT=3, COLD=1), owner="chk_old", ttl_seconds=-1)

    assert decided(request(1, HOT=2), request(2, HOT=2), request(3, HOT=1)) == ["granted", "short", "granted"]
    assert states()[old.reservation_id] == "expired"
    assert counters() == {"HOT": (3, 3), "COLD": (5, 0)}
    assert_balanced()


def test_one_that_cannot_even_be_asked_sends_each_of_its_batch_the_plain_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stock(HOT=3)
    impossible = replace(request(2, HOT=1), owner="x" * 81)

    assert decided(request(1, HOT=1), impossible) == ["elsewhere", "elsewhere"]
    assert [record.message for record in caplog.records] == ["lane_batch_failed"]
    assert counters() == {"HOT": (3, 0)}


def lock(sku_id: str) -> None:
    StockItem.objects.select_for_update().get(pk=sku_id)


def test_a_cold_sku_that_somebody_keeps_locked_holds_up_only_those_who_want_it() -> None:
    stock(HOT=3, COLD=3)
    with held_open(lambda: lock("COLD")):
        assert decided(request(1, COLD=1, HOT=1), request(2, HOT=1)) == ["elsewhere", "granted"]
    assert counters() == {"HOT": (3, 1), "COLD": (3, 0)}
    assert_balanced()


def test_a_hot_sku_that_somebody_keeps_locked_is_a_busy_answer_to_all() -> None:
    stock(HOT=3)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    with held_open(lambda: lock("HOT")):
        assert decided(request(1, HOT=1), request(2, HOT=1)) == ["busy", "busy"]
        heating._believe(["HOT"])
        with pytest.raises(StockBusyError):
            inventory.reserve(demands=demands(HOT=1), owner="chk_3")
    assert counters() == {"HOT": (3, 0)}


def test_staff_mark_skus_as_hot_and_it_is_noted_who_did(client: Client) -> None:
    stock(MUG=3, LAMP=2)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    url = reverse("admin:inventory_stockitem_changelist")

    for action, hot in (("mark_hot", ("MUG",)), ("mark_cold", ())):
        page = client.post(url, {"action": action, "_selected_action": ["MUG"]}, follow=True)
        assert "1 SKU changed." in page.content.decode()
        assert find_hot(["LAMP", "MUG"]) == hot
    assert sorted(LogEntry.objects.values_list("object_id", "change_message")) == [
        ("MUG", "Marked as hot"),
        ("MUG", "No longer hot"),
    ]
