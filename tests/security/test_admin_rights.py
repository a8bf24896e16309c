"""Every address of the admin × everybody who may ask, read from the URL configuration and the groups' table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, get_resolver

from notifications.models import Campaign, Step
from shop.accounts.models import User
from shop.checkout.models import Payment
from shop.core.staff import change_page
from shop.watch.groups import GROUPS, make_groups
from tests.checkout.helpers import make_sku, pay, ready
from tests.notifications.carts import make_campaign, make_customer

pytestmark = pytest.mark.django_db

# What a member of staff without any right still sees: the way in and out, and their own password.
EVERYBODYS = {
    *("/admin/", "/admin/login/", "/admin/logout/", "/admin/find/", "/admin/jsi18n/"),
    *("/admin/password_change/", "/admin/password_change/done/"),
}
SENT_ON = {"/admin/r/1/1/"}


def _paths(patterns: list[Any], before: str = "/") -> Iterator[str]:
    for entry in patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from _paths(entry.url_patterns, path)


def _filled(path: str) -> str:
    path = path.replace("(?P<url>.*)$", "nothing/").replace("^(?P<app_label>", "(").removesuffix("$")
    path = re.sub(r"\((\w+)(\|\w+)*\)", r"\1", path)
    return re.sub(r"<(?:\w+:)?\w+>", "1", path)


ADDRESSES = sorted({_filled(path) for path in _paths(get_resolver().url_patterns) if path.startswith("/admin/")})


def _member(group: str) -> Client:
    user = User.objects.create_user(f"{group.lower()}@example.com", "secret", is_staff=True)
    if group in GROUPS:
        user.groups.add(Group.objects.get(name=group))
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_there_is_an_admin() -> None:
    assert len(ADDRESSES) > 150


def test_nobody_gets_in_without_signing_in() -> None:
    customer = Client()
    customer.force_login(
        User.objects.create_user("ada@example.com", "secret"), backend="django.contrib.auth.backends.ModelBackend"
    )
    for client in (Client(), customer):
        for path in ADDRESSES:
            for ask in (client.get, client.post):
                if path in ("/admin/login/", "/admin/logout/"):
                    continue
                answer = ask(path)
                assert answer.status_code in (302, 404), (path, answer.status_code)
                assert answer.status_code == 404 or answer["Location"].startswith("/admin/login/"), path


def test_staff_without_rights_see_and_do_nothing() -> None:
    client = _member("nobody")
    for path in ADDRESSES:
        if path in EVERYBODYS | SENT_ON:
            continue
        for ask in (client.get, client.post):
            answer = ask(path)
            # Django leads an object's old address on to its page, which is in the table as well.
            # So does the history of an object that is not there, to the first page.
            led = "/admin/" if path.endswith("/history/") else f"{path}change/"
            is_led_on = answer.status_code == 302 and answer["Location"] == led
            assert is_led_on or answer.status_code in (403, 404, 405), (path, answer.status_code)


def _make_groups() -> None:
    *_, last = (config for config in apps.get_app_configs() if config.models_module is not None)
    make_groups(app_config=last)


def test_pages_beside_the_lists_ask_for_their_right_where_the_thing_is_there() -> None:
    """An object that is not there is 404 to everybody, whatever a view forgets to ask."""
    _make_groups()
    make_sku("MUG")
    guest, view = ready()
    pay(view, guest)
    payment = change_page("checkout_payment", Payment.objects.get().pk).removesuffix("change/")
    customer, campaign = make_customer(), f"/admin/notifications/campaign/{make_campaign().pk}"
    step = Step.objects.get(variant__campaign=Campaign.objects.get()).pk
    may_open = {
        "/admin/inventory/stockitem/adjust/MUG/": {"Stock"},
        "/admin/inventory/stockitem/import/": {"Stock"},
        f"{campaign}/report/": {"Marketing", "Auditor"},
        f"{campaign}/explain/": {"Marketing", "Auditor"},
        f"{campaign}/preview/{step}/": {"Marketing", "Auditor"},
        "/admin/pricing/promotion/preview/": {"Marketing", "Auditor"},
        "/admin/pricing/price/import/": {"Marketing"},
        f"{payment}refund/": {"Finance"},
        "/admin/availability/MUG/": {"Support", "Stock", "Finance", "Auditor"},
        f"/admin/personal/{customer.pk}/": {"Support"},
    }
    may_post = {f"{campaign}/run/": {"Marketing"}, f"{campaign}/test/": {"Marketing"}}
    for group in ("nobody", *GROUPS):
        client = _member(group)
        for path, groups in may_open.items():
            assert (client.get(path).status_code == 403) == (group not in groups), (group, path)
            assert (client.post(path).status_code == 403) >= (group not in groups), (group, path)
        for path, groups in may_post.items():
            assert (client.post(path).status_code == 403) == (group not in groups), (group, path)


def test_no_group_opens_a_list_that_it_has_no_right_to() -> None:
    _make_groups()
    for group, rights in GROUPS.items():
        client = _member(group)
        for model in admin.site._registry:
            app_label, name = model._meta.app_label, model._meta.model_name
            if not {f"{app_label}.view_{name}", f"{app_label}.change_{name}"} & set(rights):
                assert client.get(f"/admin/{app_label}/{name}/").status_code == 403, (group, app_label, name)


def test_no_page_breaks_over_a_nul_wherever_it_stands() -> None:
    boss = User.objects.create_superuser("boss@example.com", "secret")
    client = Client(raise_request_exception=False)
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    lists = [path for path in ADDRESSES if path.count("/") == 4 and path != "/admin/password_change/done/"]
    assert len(lists) > 30
    for path in lists:
        for asked in (f"{path}?owner=%00", f"{path}?id__exact=%00", f"{path}%00/change/"):
            assert client.get(asked).status_code in (302, 400, 404), asked
        assert client.get(f"{path}?q=%00").status_code in (200, 302, 404), path
        answer = client.post(path, {"action": "delete_selected", "_selected_action": "\x00"})
        assert answer.status_code in (400, 403, 404), path
