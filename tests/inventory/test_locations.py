"""Several locations: lines are filled in the stated order, from more than one if need be; all of it adds up."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from inventory import places, selectors
from inventory import services as inventory
from inventory.errors import (
    AdjustmentInvalidError,
    InsufficientStockError,
    LocationInUseError,
    LocationUnknownError,
    StockBelowReservedError,
)
from inventory.models import Location, LocationStock, ReservationShare, StockEntry, StockItem
from inventory.types import Place, PlaceDrift, ReleaseReason, Unplaced
from inventory.watching import list_drifts, stock_panel
from tests.inventory.helpers import assert_balanced, counters, demands, shares, standing, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop_and_annex() -> None:
    """Open two locations with 5 mugs in the first and 4 in the second."""
    stock(MUG=5, LAMP=9)
    inventory.open_location(code="shop", name="Shop")
    inventory.open_location(code="annex", name="Annex")
    inventory.adjust(sku_id="MUG", delta=4, reason="received", by=None, location="annex")


def test_a_shop_without_locations_has_none_of_it() -> None:
    stock(MUG=5)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)

    assert places.list_locations() == ()
    assert not LocationStock.objects.exists()
    assert not ReservationShare.objects.exists()
    assert StockEntry.objects.filter(location=None).count() == 2


def test_the_first_location_takes_over_all_units_and_live_reservations() -> None:
    stock(MUG=5, LAMP=1)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    inventory.open_location(code="shop", name="Shop")
    inventory.open_location(code="shop", name="Shop")

    assert standing() == {("MUG", "shop"): (5, 2), ("LAMP", "shop"): (1, 0)}
    assert shares(view.reservation_id) == {("MUG", "shop"): 2}
    inventory.commit(reservation_id=view.reservation_id)
    assert standing()["MUG", "shop"] == (3, 0)
    assert_balanced()


@pytest.mark.parametrize(
    ("wanted", "filled"),
    [
        (4, {("MUG", "shop"): 4}),
        (5, {("MUG", "shop"): 5}),
        (7, {("MUG", "shop"): 5, ("MUG", "annex"): 2}),
        (9, {("MUG", "shop"): 5, ("MUG", "annex"): 4}),
    ],
)
def test_a_line_is_filled_from_the_first_location_then_from_the_next(
    shop_and_annex: None, wanted: int, filled: dict[tuple[str, str], int]
) -> None:
    view = inventory.reserve(demands=demands(MUG=wanted), owner="chk_1")

    assert shares(view.reservation_id) == filled
    assert counters()["MUG"] == (9, wanted)
    assert_balanced()


def test_more_than_all_locations_have_is_refused_with_their_sum(shop_and_annex: None) -> None:
    with pytest.raises(InsufficientStockError) as refused:
        inventory.reserve(demands=demands(MUG=10), owner="chk_1")

    assert [(short.requested, short.available) for short in refused.value.shortages] == [(10, 9)]
    assert selectors.availability(sku_ids=["MUG"])["MUG"].available == 9
    assert not ReservationShare.objects.exists()


def test_staff_state_the_order(shop_and_annex: None) -> None:
    inventory.change_location(code="annex", name="Annex", position=1, is_open=True)

    view = inventory.reserve(demands=demands(MUG=6), owner="chk_1")

    assert shares(view.reservation_id) == {("MUG", "annex"): 4, ("MUG", "shop"): 2}
    assert [place.code for place in places.list_places(sku_id="MUG")] == ["annex", "shop"]


def test_a_sale_has_a_line_in_the_ledger_for_each_location(shop_and_annex: None) -> None:
    view = inventory.reserve(demands=demands(MUG=7, LAMP=1), owner="chk_1")

    inventory.commit(reservation_id=view.reservation_id)

    sold = StockEntry.objects.filter(kind="sale").order_by("id")
    assert list(sold.values_list("sku_id", "location__code", "delta", "on_hand_after")) == [
        ("LAMP", "shop", -1, 8),
        ("MUG", "shop", -5, 4),
        ("MUG", "annex", -2, 2),
    ]
    assert standing() == {("MUG", "shop"): (0, 0), ("MUG", "annex"): (2, 0), ("LAMP", "shop"): (8, 0)}
    assert list_drifts() == list_drifts(is_whole=False) == ()
    assert_balanced()


@pytest.mark.parametrize("end", ["release", "sweep", "take over", "staff"])
def test_units_go_back_where_they_came_from(shop_and_annex: None, end: str) -> None:
    ttl = 0 if end in ("sweep", "take over") else 60
    view = inventory.reserve(demands=demands(MUG=7), owner="chk_1", ttl_seconds=ttl)
    before = standing()

    match end:
        case "release":
            inventory.release(reservation_id=view.reservation_id, cause="cancelled")
        case "sweep":
            inventory.sweep()
        case "staff":
            inventory.release_by_staff(reservation_id=view.reservation_id, reason=ReleaseReason.ASKED, may_force=False)
        case _:
            other = inventory.reserve(demands=demands(MUG=6), owner="chk_2")
            assert shares(other.reservation_id) == {("MUG", "shop"): 5, ("MUG", "annex"): 1}
            inventory.release(reservation_id=other.reservation_id, cause="cancelled")

    assert before["MUG", "annex"] == (4, 2)
    assert standing()["MUG", "shop"] == (5, 0)
    assert standing()["MUG", "annex"] == (4, 0)
    assert shares(view.reservation_id) == {("MUG", "shop"): 5, ("MUG", "annex"): 2}, "what was is kept"
    assert_balanced()


def test_a_changed_cart_is_filled_anew_even_when_nothing_else_is_left(shop_and_annex: None) -> None:
    first = inventory.reserve(demands=demands(MUG=9), owner="chk_1")

    second = inventory.reserve(demands=demands(MUG=9, LAMP=1), owner="chk_1")
    third = inventory.reserve(demands=demands(MUG=3, LAMP=1), owner="chk_1")

    assert first.reservation_id != second.reservation_id
    assert shares(second.reservation_id) == {("MUG", "shop"): 5, ("MUG", "annex"): 4, ("LAMP", "shop"): 1}
    assert shares(third.reservation_id) == {("MUG", "shop"): 3, ("LAMP", "shop"): 1}
    assert_balanced()


def test_an_adjustment_names_its_location_or_means_the_first(shop_and_annex: None) -> None:
    inventory.adjust(sku_id="MUG", delta=2, reason="found", by=None, reference="adj_1")
    inventory.adjust(sku_id="MUG", delta=3, reason="found", by=None, reference="adj_1", location="annex")
    inventory.adjust(sku_id="MUG", delta=3, reason="found", by=None, reference="adj_1", location="annex")
    inventory.adjust(sku_id="NEW", delta=6, reason="received", by=None, location="annex")

    assert standing()["MUG", "shop"] == (7, 0)
    assert standing()["MUG", "annex"] == (7, 0)
    assert standing()["NEW", "annex"] == (6, 0)
    assert_balanced()


def test_units_reserved_in_a_location_cannot_be_taken_from_it(shop_and_annex: None) -> None:
    inventory.reserve(demands=demands(MUG=3), owner="chk_1")

    with pytest.raises(StockBelowReservedError) as refused:
        inventory.adjust(sku_id="MUG", delta=-3, reason="lost", by=None, location="shop")
    with pytest.raises(StockBelowReservedError):
        inventory.adjust(sku_id="LAMP", delta=-1, reason="lost", by=None, location="annex")

    assert (refused.value.on_hand, refused.value.reserved) == (5, 3)
    assert counters() == {"MUG": (9, 3), "LAMP": (9, 0)}
    assert_balanced()


def test_a_count_is_of_one_shelf(shop_and_annex: None) -> None:
    inventory.recount(sku_id="MUG", counted=3, unshipped=0, on_hand_then=4, by=7, location="annex")

    assert standing()["MUG", "annex"] == (3, 0)
    assert standing()["MUG", "shop"] == (5, 0)
    assert_balanced()


def test_a_location_is_closed_when_it_is_empty_and_takes_nothing_then(shop_and_annex: None) -> None:
    with pytest.raises(LocationInUseError):
        inventory.change_location(code="annex", name="Annex", position=20, is_open=False)
    inventory.adjust(sku_id="MUG", delta=-4, reason="lost", by=None, location="annex")

    inventory.change_location(code="annex", name="Annex", position=20, is_open=False)

    with pytest.raises(AdjustmentInvalidError) as refused:
        inventory.adjust(sku_id="MUG", delta=1, reason="found", by=None, location="annex")
    assert [(detail.pointer, detail.code) for detail in refused.value.errors] == [("/location", "location_unknown")]
    with pytest.raises(AdjustmentInvalidError):
        inventory.adjust(sku_id="MUG", delta=1, reason="found", by=None, location="nowhere")
    assert places.list_choices() == ()
    assert_balanced()


def test_the_first_location_stays_and_an_unknown_one_cannot_be_changed(shop_and_annex: None) -> None:
    inventory.adjust(sku_id="MUG", delta=-5, reason="lost", by=None, location="shop")
    inventory.adjust(sku_id="LAMP", delta=-9, reason="lost", by=None, location="shop")

    with pytest.raises(LocationInUseError) as refused:
        inventory.change_location(code="shop", name="Shop", position=10, is_open=False)
    with pytest.raises(LocationUnknownError):
        inventory.change_location(code="nowhere", name="Nowhere", position=10, is_open=True)

    assert refused.value.is_first
    assert Location.objects.filter(is_open=True).count() == 2


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_location_that_somebody_typed_over_is_found_and_set_right(*, shop_and_annex: None, is_whole: bool) -> None:
    inventory.reserve(demands=demands(MUG=6), owner="chk_1")
    LocationStock.objects.filter(sku_id="MUG", location__code="annex").update(reserved=3)
    if is_whole:
        LocationStock.objects.filter(sku_id="MUG", location__code="shop").update(on_hand=50)

    found = places.list_place_drifts(is_whole=is_whole)

    annex = PlaceDrift("MUG", "annex", on_hand=4, booked=4, reserved=3, live=1)
    shop = PlaceDrift("MUG", "shop", on_hand=50, booked=5, reserved=5, live=5)
    assert found == ((shop, annex) if is_whole else (annex,))
    assert inventory.repair_drift(sku_id="MUG", by=7) == found
    assert places.list_place_drifts() == ()
    assert StockEntry.objects.latest("id").note.endswith("annex: on hand 4 → 4, reserved 3 → 1")
    assert_balanced()


@pytest.mark.parametrize("units", [1, 6])
def test_a_line_that_has_lost_its_shares_is_found_and_placed_anew(shop_and_annex: None, units: int) -> None:
    view = inventory.reserve(demands=demands(MUG=units), owner="chk_1")
    other = inventory.reserve(demands=demands(MUG=1), owner="chk_2")
    before = shares(view.reservation_id), standing()
    lost = ReservationShare.objects.filter(line__reservation=view.reservation_id, location__code="shop")
    taken = lost.get().quantity
    lost.delete()
    LocationStock.objects.filter(sku_id="MUG", location__code="shop").update(reserved=F("reserved") - taken)
    assert not places.list_place_drifts()  # each counter is what it counts
    assert not list_drifts()

    found = (Unplaced("MUG", taken),)
    assert places.list_unplaced() == places.list_unplaced(sku_ids=["MUG"]) == found
    assert inventory.repair_drift(sku_id="MUG", by=7) == found

    assert (shares(view.reservation_id), standing()) == before
    assert StockEntry.objects.latest("id").note == f"{taken} reserved units placed"
    inventory.commit(reservation_id=view.reservation_id)
    inventory.release(reservation_id=other.reservation_id, cause="cancelled")
    assert_balanced()


def test_locations_that_do_not_add_up_are_found_without_the_whole_ledger(shop_and_annex: None) -> None:
    LocationStock.objects.filter(sku_id="MUG", location__code="annex").update(on_hand=6)

    assert places.list_place_drifts(is_whole=False) == (PlaceDrift("MUG", "shop", 5, 3, 0, 0),)
    assert places.list_place_drifts() == (PlaceDrift("MUG", "annex", 6, 4, 0, 0),)


def test_the_panel_shows_where_units_stand_and_from_where_they_are_kept(shop_and_annex: None) -> None:
    inventory.reserve(demands=demands(MUG=6), owner="chk_1")

    panel = stock_panel(sku_id="MUG")

    assert panel is not None
    assert panel.places == (Place("shop", "Shop", 5, 5), Place("annex", "Annex", 4, 1))
    assert [holder.places for holder in panel.holders] == ["5 shop, 1 annex"]
    assert [line.place for line in panel.ledger] == ["annex", ""]
    assert places.place_totals() == {"shop": (14, 5), "annex": (4, 1)}


def test_reserving_and_selling_are_one_statement_each_here_as_well(shop_and_annex: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        view = inventory.reserve(demands=demands(MUG=6, LAMP=1), owner="chk_1")
        inventory.commit(reservation_id=view.reservation_id)

    assert len([query for query in captured if "SAVEPOINT" not in query["sql"]]) == 2


def test_no_trigger_moves_the_stock_items_own_counters(shop_and_annex: None) -> None:
    """The SKU's row alone decides: what stands where never changes how many can be reserved."""
    LocationStock.objects.filter(sku_id="MUG").update(on_hand=0)

    inventory.reserve(demands=demands(MUG=9), owner="chk_1")

    assert StockItem.objects.get(pk="MUG").reserved == 9
