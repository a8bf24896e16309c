"""Staff's pages in a shop with several locations; a shop with one sees none of it."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.models import Location, StockEntry
from tests.cart.helpers import make_sku
from tests.inventory.helpers import assert_balanced, demands, standing

pytestmark = pytest.mark.django_db

LIST = "/admin/inventory/location/"
PANEL = "/admin/availability/MUG/"
ADJUST = "/admin/inventory/stockitem/adjust/MUG/"
IMPORT = "/admin/inventory/stockitem/import/"
PAGES = (
    *(PANEL, ADJUST, IMPORT, "/admin/", "/admin/inventory/stockitem/", "/admin/inventory/stockentry/"),
    "/admin/inventory/reservation/",
)


@pytest.fixture
def staff(client: Client) -> Client:
    make_sku("MUG", on_hand=9)
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))
    return client


@pytest.fixture
def annex(staff: Client) -> None:
    """Open two locations: 9 mugs are in the first, 4 in the second."""
    inventory.open_location(code="shop", name="Shop <1>")
    inventory.open_location(code="annex", name="Annex")
    inventory.adjust(sku_id="MUG", delta=4, reason="received", by=None, location="annex")


def page(client: Client, url: str, **posted: Any) -> str:
    response = client.post(url, posted, follow=True) if posted else client.get(url)
    return response.content.decode()


def location_of(code: str) -> str:
    return reverse("admin:inventory_location_change", args=[Location.objects.get(code=code).pk])


def posted_for(client: Client, code: str, **entered: Any) -> dict[str, Any]:
    form = client.get(location_of(code)).context["adminform"].form
    return {"opened_with": form["opened_with"].value(), "name": code.title(), "position": 20, **entered}


@pytest.mark.parametrize("url", PAGES)
def test_a_shop_in_one_place_reads_of_locations_nowhere_but_where_one_is_opened(staff: Client, url: str) -> None:
    inventory.reserve(demands=demands(MUG=1), owner="chk_1")

    text = re.sub(r'<a href="/admin/inventory/location/.*?</a>', "", page(staff, url), flags=re.DOTALL)

    assert "ocation" not in re.sub(r"(model|inventory)-location", "", text)
    assert "locationstock" not in text


def test_locations_are_opened_and_the_first_takes_all(staff: Client) -> None:
    page(staff, f"{LIST}add/", code="shop", name="Shop", opened_with="")
    page(staff, f"{LIST}add/", code="annex", name="Annex", opened_with="")

    assert list(Location.objects.values_list("code", "position", "is_open")) == [
        ("shop", 10, True),
        ("annex", 20, True),
    ]
    assert standing() == {("MUG", "shop"): (9, 0)}
    assert [entry.object_repr for entry in LogEntry.objects.order_by("id")] == ["Shop", "Annex"]
    assert "already exists" in page(staff, f"{LIST}add/", code="shop", name="Again", opened_with="")


def test_before_the_first_is_opened_it_is_said_what_that_does_and_after_what_stands_where(staff: Client) -> None:
    assert "The first location takes over all units" in page(staff, f"{LIST}add/")

    inventory.open_location(code="shop", name="Shop")
    inventory.open_location(code="annex", name="Annex")
    inventory.reserve(demands=demands(MUG=2), owner="chk_1")

    assert "The first location takes over all units" not in page(staff, f"{LIST}add/")
    cells = re.findall(r'field-(?:on_hand|reserved)">(\d+)<', page(staff, LIST))
    assert cells == ["9", "2", "0", "0"]


def test_a_location_that_cannot_be_opened_for_others_keep_stock_locked_is_told(staff: Client) -> None:
    with closing(connection.copy()) as another, another.cursor() as other, connection.cursor() as cursor:
        other.execute("BEGIN; LOCK TABLE inventory_stockitem IN ROW SHARE MODE")
        cursor.execute("SET LOCAL lock_timeout = '50ms'")

        assert "Please try again in a few seconds." in page(staff, f"{LIST}add/", code="shop", name="S", opened_with="")

    assert not Location.objects.exists()


def test_a_location_is_renamed_and_moved_but_keeps_its_code(staff: Client, annex: None) -> None:
    posted = posted_for(staff, "annex", position=5, is_open="on")
    page(staff, location_of("annex"), **posted, code="other")

    assert list(Location.objects.values_list("code", "position")) == [("annex", 5), ("shop", 10)]
    assert staff.post(location_of("annex").replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_a_location_with_units_is_not_closed_and_it_is_said_at_the_field(staff: Client, annex: None) -> None:
    assert "There are units in this location" in page(staff, location_of("annex"), **posted_for(staff, "annex"))
    assert "The first location takes" in page(staff, location_of("shop"), **posted_for(staff, "shop"))
    assert Location.objects.filter(is_open=True).count() == 2

    inventory.adjust(sku_id="MUG", delta=-4, reason="lost", by=None, location="annex")
    page(staff, location_of("annex"), **posted_for(staff, "annex"))
    assert Location.objects.filter(is_open=True).count() == 1


def test_a_form_of_a_location_notices_another_change(staff: Client, annex: None) -> None:
    posted = posted_for(staff, "annex", position=5, is_open="on")
    Location.objects.filter(code="annex").update(position=7)

    assert "position: 20 → 7" in page(staff, location_of("annex"), **posted)
    assert Location.objects.get(code="annex").position == 7


def test_the_panel_says_where_units_are_and_markup_in_names_is_inert(staff: Client, annex: None) -> None:
    inventory.reserve(demands=demands(MUG=11), owner="chk_1")

    text = page(staff, PANEL)

    cells = [re.sub(r"<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", text, re.DOTALL)]
    assert cells[cells.index("Shop &lt;1&gt;") :][:4] == ["Shop &lt;1&gt;", "9", "9", "0"]
    assert cells[cells.index("Annex") :][:4] == ["Annex", "4", "2", "2"]
    assert "9 shop, 2 annex" in cells
    assert "<1>" not in text


def test_a_count_is_booked_for_the_shelf_that_was_counted(staff: Client, annex: None) -> None:
    form = staff.get(f"{PANEL}?at=annex").context["recount_form"]
    assert (form["location"].value(), form["on_hand_then"].value()) == ("annex", 4)

    counted = {"do": "recount", "unshipped": 0, "on_hand_then": 4, "operation": f"cnt_{'0' * 24}", "location": "annex"}
    text = page(staff, PANEL, **counted, counted=3)

    assert "Counted. 12 on hand." in text
    assert standing() == {("MUG", "shop"): (9, 0), ("MUG", "annex"): (3, 0)}
    assert "Counted 3 in annex" in LogEntry.objects.latest("id").change_message
    inventory.reserve(demands=demands(MUG=11), owner="chk_1")
    text = page(staff, PANEL, **counted | {"operation": f"cnt_{'1' * 24}", "on_hand_then": 3}, counted=0)
    assert "At most 1 can be taken away: 3 are on hand, of which 2 are reserved." in text
    assert "Recount in Annex" in text
    assert_balanced()


def test_an_adjustment_asks_where(staff: Client, annex: None) -> None:
    posted = {"delta": 2, "reason": "found", "note": "", "operation": f"adj_{'0' * 24}"}

    assert "This field is required" in page(staff, ADJUST, **posted)
    assert "Select a valid choice" in page(staff, ADJUST, **posted, location="nowhere")
    page(staff, f"{ADJUST}?at=annex", **posted, location="annex")

    assert standing()["MUG", "annex"] == (6, 0)
    assert "+2 in annex" in LogEntry.objects.latest("id").change_message
    assert staff.get(f"{ADJUST}?at=annex").context["form"]["location"].value() == "annex"
    assert "Annex: 6 on hand, of which 0 are reserved." in page(staff, ADJUST)


def test_a_file_names_locations_and_comes_out_with_them(staff: Client, annex: None) -> None:
    content = "sku_id,change,reason,location\nMUG,-1,lost,annex\nMUG,2,found,\nMUG,1,found,attic\n"

    def upload(text: str) -> Any:
        file = SimpleUploadedFile("stock.csv", text.encode())
        return staff.post(IMPORT, {"file": file, "operation": f"imp_{'0' * 24}", "do": "show"})

    assert "There is no open location “attic”." in upload(content).content.decode()
    shown = upload(content.replace("MUG,1,found,attic\n", ""))
    table = shown.content.decode().partition("What this file does")[2]
    cells = re.findall(r"<td>\s*(.*?)\s*</td>", table, re.DOTALL)
    assert cells[:6] == ["2", "MUG", "annex", "4", "-1", "3"]
    context = shown.context
    page(staff, IMPORT, text=context["text"], operation=context["operation"], do="book")

    assert standing() == {("MUG", "shop"): (11, 0), ("MUG", "annex"): (3, 0)}
    chosen = {"action": "export", "_selected_action": ["MUG"]}
    lines = staff.post("/admin/inventory/stockitem/", chosen).content.decode().split()
    assert lines == ["sku_id,on_hand,reserved,available,location", "MUG,11,0,11,shop", "MUG,3,0,3,annex"]
    assert_balanced()


def test_ledger_reservation_and_list_name_locations(staff: Client, annex: None) -> None:
    view = inventory.reserve(demands=demands(MUG=11), owner="chk_1")
    inventory.commit(reservation_id=view.reservation_id)
    annexes = Location.objects.get(code="annex").pk

    rows = re.findall(r"field-location.*?>(.*?)</td>", page(staff, "/admin/inventory/stockentry/"))
    assert [re.sub(r"<.*?>", "", row) for row in rows] == ["Annex", "Shop &lt;1&gt;", "Annex", "-"]
    assert page(staff, f"/admin/inventory/stockentry/?location__id__exact={annexes}").count("field-location") == 2
    assert "9 × MUG: Shop &lt;1&gt;, 2 × MUG: Annex" in page(
        staff, f"/admin/inventory/reservation/{quote(view.reservation_id)}/change/"
    )
    assert "MUG" in page(staff, "/admin/inventory/locationstock/?counters=low")
    assert "MUG" in page(staff, f"/admin/inventory/locationstock/?location__id__exact={annexes}&q=MUG")
    assert staff.post("/admin/inventory/locationstock/add/").status_code == 403
    assert StockEntry.objects.filter(kind="sale").count() == 2


def test_the_metrics_count_units_by_location(client: Client, staff: Client, annex: None) -> None:
    inventory.reserve(demands=demands(MUG=10), owner="chk_1")

    text = client.get("/metrics").content.decode()

    assert 'trolley_stock_location_on_hand{location="annex"} 4' in text
    assert 'trolley_stock_location_reserved{location="annex"} 1' in text
