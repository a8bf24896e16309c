"""Staff's pages of customers and of themselves."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shop.accounts.models import Customer, StaffMember, User
from shop.watch.groups import GROUPS

pytestmark = pytest.mark.django_db

CUSTOMERS = "/admin/accounts/customer/"
STAFF = "/admin/accounts/staffmember/"
PASSWORD = "long enough to be safe"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss@example.com", PASSWORD))
    return client


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.com", PASSWORD, first_name="Ada")


def of_group(name: str) -> Client:
    user = User.objects.create_user(f"{name.lower()}@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client = Client()
    client.force_login(user)
    return client


def test_customers_are_found_by_address_and_number_and_masked_in_the_list(ada: User) -> None:
    User.objects.create_user("bob@example.com", PASSWORD)
    support = of_group("Support")
    for term in ("ada@example.com", "ADA@example.com", f"u:{ada.pk}", f" {ada.pk} "):
        text = support.get(CUSTOMERS, {"q": term}).content.decode()
        assert f">u:{ada.pk}</a>" in text
        assert "a***@example.com" in text
        assert "b***@example.com" not in text
    for term in ("ada", "nobody@example.org", "9" * 40, "٣"):
        assert "0 customers" in support.get(CUSTOMERS, {"q": term}).content.decode()


def test_the_list_costs_the_same_for_many(boss: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert boss.get(CUSTOMERS).status_code == 200
        return len(queries)

    User.objects.create_user("c0@example.com", PASSWORD)
    cost()
    few = cost()
    User.objects.bulk_create([User(email=f"c{number}@example.com") for number in range(1, 50)])
    assert cost() == few <= 12


def test_a_customers_page_shows_the_address_to_who_may_see_it_and_notes_that(ada: User) -> None:
    support, auditor = of_group("Support"), of_group("Auditor")
    page = f"{CUSTOMERS}{ada.pk}/change/"
    assert "ada@example.com" not in auditor.get(page).content.decode()
    assert not LogEntry.objects.exists()
    text = support.get(page).content.decode()
    assert "ada@example.com" in text
    assert LogEntry.objects.get().change_message == "Personal data shown"
    assert 'name="_save"' not in text


def test_a_customers_page_leads_only_to_lists_that_open(ada: User) -> None:
    for name in ("Support", "Auditor"):
        client = of_group(name)
        text = client.get(f"{CUSTOMERS}{ada.pk}/change/").content.decode()
        links = [part.split('"')[0].replace("&amp;", "&") for part in text.split('href="')[1:]]
        lists = [link for link in links if f"user_id={ada.pk}" in link or f"u:{ada.pk}" in link]
        assert len(lists) >= 4
        assert {client.get(link).status_code for link in lists} == {200}
        assert any("abandonment" in link for link in lists) == (name == "Auditor")


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_no_group_reaches_the_members_of_staff(name: str) -> None:
    client = of_group(name)
    member = StaffMember.objects.get()
    for path in ("", "add/", f"{member.pk}/change/", f"{member.pk}/password/", f"{member.pk}/delete/"):
        assert client.get(STAFF + path).status_code == 403
    expected = 200 if "accounts.view_customer" in GROUPS[name] else 403
    assert client.get(CUSTOMERS).status_code == expected


def test_a_superuser_makes_a_colleague_who_can_sign_in_and_may_do_what_the_group_may(boss: Client) -> None:
    entered = {"email": "New@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    made = boss.post(f"{STAFF}add/", entered)
    colleague = StaffMember.objects.get(email="new@example.com")
    assert made["Location"] == f"{STAFF}{colleague.pk}/change/"
    page = made["Location"]
    group = Group.objects.get(name="Stock")
    saved = boss.post(page, {"email": colleague.email, "is_active": "on", "groups": [group.pk]})
    assert saved.status_code == 302, saved.context["errors"]
    client = Client()
    assert client.login(email="new@example.com", password=PASSWORD)
    assert client.get("/admin/inventory/stockitem/").status_code == 200
    assert client.get("/admin/checkout/order/").status_code == 403


def test_nobody_is_deleted_and_nobody_locks_themselves_out(boss: Client) -> None:
    me = StaffMember.objects.get()
    assert boss.get(f"{STAFF}{me.pk}/delete/").status_code == 403
    assert boss.post(f"{STAFF}{me.pk}/change/", {"email": me.email}).status_code == 302
    me.refresh_from_db()
    assert (me.is_active, me.is_superuser) == (True, True)
    other = User.objects.create_user("other@example.com", PASSWORD, is_staff=True)
    assert boss.post(f"{STAFF}{other.pk}/change/", {"email": other.email}).status_code == 302
    other.refresh_from_db()
    assert not other.is_active


def test_customers_are_not_among_staff_nor_staff_among_customers(boss: Client, ada: User) -> None:
    assert "ada@example.com" not in boss.get(STAFF).content.decode()
    assert boss.get(f"{STAFF}{ada.pk}/change/").status_code == 302
    assert boss.get(f"{CUSTOMERS}{StaffMember.objects.get(is_superuser=True).pk}/change/").status_code == 302
    assert Customer.objects.count() == 2
