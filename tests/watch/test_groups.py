"""Groups of staff: they exist, may what their table says, and nothing else."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

from inventory import services as inventory
from shop.watch.groups import GROUPS, make_groups
from shop.watch.models import GroupRight
from tests.cart.helpers import make_sku
from tests.inventory.helpers import demands

pytestmark = pytest.mark.django_db

LISTS = {
    "inventory/stockitem/": {"Support", "Stock", "Finance", "Auditor"},
    "inventory/stockitem/import/": {"Stock"},
    "inventory/stockentry/": {"Support", "Stock", "Finance", "Auditor"},
    "inventory/location/": {"Stock"},
    "inventory/locationstock/": {"Support", "Stock", "Finance", "Auditor"},
    "inventory/reservation/": {"Support", "Stock", "Finance", "Auditor"},
    "availability/MUG/": {"Support", "Stock", "Finance", "Auditor"},
    "watch/alert/": {"Support", "Stock", "Finance", "Auditor"},
    "checkout/payment/": {"Support", "Finance", "Auditor"},
    "pricing/price/": {"Marketing", "Auditor"},
    "notifications/campaign/": {"Marketing", "Auditor"},
    "cart/cartrecord/": {"Support", "Finance", "Auditor"},
}


def make() -> None:
    """Do what Django does after a migration."""
    *_, last = (config for config in apps.get_app_configs() if config.models_module is not None)
    make_groups(app_config=last)


@pytest.fixture(autouse=True)
def _groups() -> None:
    make()


def member(group: str) -> Client:
    user = get_user_model().objects.create_user(f"{group.lower()}@example.com", "secret", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("group", GROUPS)
def test_every_right_in_the_table_exists_and_is_given(group: str) -> None:
    given = Permission.objects.filter(group__name=group).values_list("content_type__app_label", "codename")

    assert {f"{app_label}.{codename}" for app_label, codename in given} == set(GROUPS[group])


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_sees_its_pages_and_no_others(group: str) -> None:
    make_sku("MUG")
    client = member(group)

    seen = {page for page in LISTS if client.get(f"/admin/{page}").status_code == 200}

    assert seen == {page for page, groups in LISTS.items() if group in groups}


@pytest.mark.parametrize(
    ("group", "release", "repair"),
    [("Support", 302, 403), ("Stock", 403, 302), ("Finance", 403, 403), ("Auditor", 403, 403), ("Marketing", 403, 403)],
)
def test_who_may_release_and_who_may_repair(group: str, release: int, repair: int) -> None:
    make_sku("MUG")
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    client, url = member(group), "/admin/availability/MUG/"

    asked = {"do": "release", "reservation": view.reservation_id, "reason": "asked"}
    assert client.post(url, asked).status_code == release
    assert client.post(url, {"do": "repair"}).status_code == repair


@pytest.mark.parametrize(("group", "is_released"), [("Support", False), ("Finance", True)])
def test_who_may_release_what_is_being_paid(group: str, is_released: bool) -> None:  # noqa: FBT001 - a case
    make_sku("MUG")
    view = inventory.reserve(demands=demands(MUG=1), owner="chk_1")
    inventory.pin(reservation_id=view.reservation_id, seconds=600)
    asked = {"do": "release", "reservation": view.reservation_id, "reason": "asked"}
    answer = member(group).post("/admin/availability/MUG/", asked)
    assert answer.status_code == (302 if is_released else 422)


def test_what_staff_changed_in_a_group_stays_and_only_rights_that_are_new_are_added() -> None:
    group = Group.objects.get(name="Auditor")
    extra = Permission.objects.get(codename="approve_refund")
    taken = Permission.objects.get(codename="view_order")
    group.permissions.remove(taken)
    group.permissions.add(extra)
    # As if the table had been shorter when the group was made, and another group was deleted since.
    GroupRight.objects.filter(group="Auditor", right="pricing.view_promotionuse").delete()
    group.permissions.remove(Permission.objects.get(codename="view_promotionuse"))
    Group.objects.get(name="Stock").delete()

    make()
    make()

    given = set(group.permissions.values_list("codename", flat=True))
    assert {"view_promotionuse", "approve_refund"} <= given
    assert "view_order" not in given
    assert Group.objects.get(name="Stock").permissions.count() == len(GROUPS["Stock"])
