"""Sessions say whose they are: a customer's are ended without looking at everybody's, and old ones go."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shop.accounts import services, tasks
from shop.accounts.models import User, WebSession

pytestmark = pytest.mark.django_db

PASSWORD = "long enough to be safe"
ACCOUNT = "/accounts/email/"


def customer(name: str) -> User:
    return User.objects.create_user(f"{name}@example.com", PASSWORD)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_session_names_its_customer_from_sign_in_to_sign_out() -> None:
    ada = customer("ada")
    client = Client()

    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})

    assert WebSession.objects.get().user_id == ada.pk
    client.post("/accounts/logout/")
    assert not WebSession.objects.filter(user_id=ada.pk).exists()


def test_closing_an_account_ends_all_of_its_sessions_and_nobody_elses() -> None:
    ada, bob = customer("ada"), customer("bob")
    browsers, other = [signed_in(ada), signed_in(ada)], signed_in(bob)

    services.close_account(user_id=ada.pk)

    assert list(WebSession.objects.values_list("user_id", flat=True)) == [bob.pk]
    assert [browser.get(ACCOUNT).status_code for browser in browsers] == [302, 302]  # to sign-in, also from the cache
    assert other.get(ACCOUNT).status_code == 200


def test_closing_an_account_finds_its_sessions_by_an_index() -> None:
    user = customer("ada")
    signed_in(user)
    with CaptureQueriesContext(connection) as queries:
        services.close_account(user_id=user.pk)

    asked = next(query["sql"] for query in queries if query["sql"].startswith('SELECT "accounts_websession"'))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {asked}")
        assert "web_session_of_user" in str(cursor.fetchall())


def test_sessions_that_ran_out_are_deleted_and_others_stay() -> None:
    old, young = signed_in(customer("ada")), signed_in(customer("bob"))
    WebSession.objects.filter(pk=old.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))

    tasks.forget_sessions(from_a_newer_version=True)

    assert WebSession.objects.get().pk == young.session.session_key


def test_sessions_of_the_table_before_move_and_nobody_is_signed_out() -> None:
    ada = customer("ada")
    before = cached_db.SessionStore()
    before.update({SESSION_KEY: str(ada.pk), HASH_SESSION_KEY: ada.get_session_auth_hash()})
    before["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    before.create()
    Session.objects.create(pk="b" * 32, session_data="no session", expire_date=timezone.now() + timedelta(days=1))
    Session.objects.create(pk="c" * 32, session_data="over", expire_date=timezone.now() - timedelta(days=1))
    cache.clear()

    import_module("shop.accounts.migrations.0006_sessions_by_customer").move(apps, None)

    moved = dict(WebSession.objects.values_list("session_key", "user_id"))
    assert moved == {before.session_key: ada.pk, "b" * 32: None}
    assert not Session.objects.exists()
    client = Client()
    client.cookies["sessionid"] = str(before.session_key)
    assert client.get(ACCOUNT).status_code == 200
