"""`check_shop`, its alerts, and the beat's own check."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from inventory import services as inventory
from inventory.models import LocationStock, ReservationShare, StockEntry, StockItem
from shop.watch.models import Alert
from shop.watch.tasks import check_shop
from tests.inventory.helpers import assert_balanced, counters, demands, states, stock

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, int]:
    """Run the command; what it wrote and its exit code."""
    out = io.StringIO()
    try:
        call_command("check_shop", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue(), 0


def test_all_is_well_exits_with_zero() -> None:
    stock(MUG=5)

    assert run() == ("all is well\n", 0)


def test_a_drift_is_told_raises_an_alert_and_changes_nothing() -> None:
    stock(MUG=5)
    StockItem.objects.filter(pk="MUG").update(reserved=2)

    text, code = run()

    assert code == 1
    assert "WRONG  stock  MUG: on hand 5, ledger 5; reserved 2, reservations 0" in text
    assert counters() == {"MUG": (5, 2)}
    alert = Alert.objects.get()
    assert (alert.section, alert.subject, alert.ended_at) == ("stock", "MUG", None)


def test_reserved_units_that_come_from_no_location_are_told_and_placed() -> None:
    stock(MUG=5)
    inventory.open_location(code="shop", name="Shop")
    inventory.reserve(demands=demands(MUG=2), owner="chk_1")
    ReservationShare.objects.all().delete()
    LocationStock.objects.update(reserved=0)

    assert "WRONG  stock  MUG: 2 reserved units come from no location" in run("stock")[0]
    assert run("stock", "--fix")[1] == 0
    assert run("stock")[1] == 0
    assert_balanced()


def test_fix_repairs_with_a_line_in_the_ledger_and_ends_the_alert() -> None:
    stock(MUG=5)
    StockItem.objects.filter(pk="MUG").update(reserved=2)
    run()

    text, code = run("--fix")

    assert code == 0
    assert text.startswith("fixed  stock  MUG")
    assert StockEntry.objects.filter(kind="repair", sku_id="MUG").count() == 1
    assert Alert.objects.get().ended_at is not None
    assert_balanced()


def test_a_reservation_without_a_live_checkout_is_a_ghost_and_can_be_released() -> None:
    stock(MUG=5)
    view = inventory.reserve(demands=demands(MUG=2), owner="chk_GONE")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_reservation SET created_at = now() - interval '2 minutes'")

    text, code = run("reservations")
    assert code == 1
    assert f"reservations  {view.reservation_id}" in text
    assert run("reservations", "--fix")[1] == 0

    assert states() == {view.reservation_id: "released"}
    assert counters() == {"MUG": (5, 0)}


def test_a_dead_sweep_is_told() -> None:
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=2), owner="chk_1", ttl_seconds=-3600)

    assert "the oldest overdue reservation has waited 3600 s" in run("sweep")[0]
    assert run("sweep", "--fix")[1] == 0
    assert counters() == {"MUG": (5, 0)}


def test_an_unknown_section_is_an_error_of_its_own() -> None:
    assert run("shelf") == ("no such section: shelf", 2)


def test_what_cannot_be_repaired_stays_wrong() -> None:
    stock(MUG=5)
    inventory.reserve(demands=demands(MUG=5), owner="chk_1")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockentry (at, sku_id, delta, on_hand_after, kind, reason, note, reference)"
            " VALUES (now(), 'MUG', -1, 4, 'adjust', 'lost', '', '')"
        )

    text, code = run("--fix")

    assert code == 1
    assert "drift_unrepairable" in text
    assert Alert.objects.filter(ended_at=None).count() == 1


def test_the_beat_opens_one_alert_keeps_it_and_ends_it_and_repairs_nothing() -> None:
    stock(MUG=5)
    StockItem.objects.filter(pk="MUG").update(reserved=2)

    check_shop(from_a_newer_version=True)
    first = Alert.objects.get()
    check_shop()
    again = Alert.objects.get()
    assert (again.pk, again.ended_at) == (first.pk, None)
    assert again.last_seen_at > first.last_seen_at
    assert counters() == {"MUG": (5, 2)}

    inventory.repair_drift(sku_id="MUG", by=None)
    check_shop()
    assert Alert.objects.get().ended_at is not None


def test_staff_see_alerts_and_nobody_deletes_them(client: Client) -> None:
    stock(MUG=5)
    StockItem.objects.filter(pk="MUG").update(reserved=2)
    check_shop()
    client.force_login(get_user_model().objects.create_superuser("staff@example.com", "secret"))

    page = client.get(reverse("admin:watch_alert_changelist") + "?state=open")

    assert page.status_code == 200
    assert "reserved 2, reservations 0" in page.content.decode()
    assert client.get(reverse("admin:watch_alert_changelist") + "?state=over").context["cl"].result_count == 0
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        Alert.objects.all().delete()
