"""Reading in another language: chosen at the foot of a page, remembered, and never kept for somebody else."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from shop.accounts.models import User
from tests.notifications.carts import leave_cart, make_campaign, make_customer, run
from tests.web.helpers import sell
from tests.web.shopper import Shopper

pytestmark = pytest.mark.django_db
PUBLIC = "public, max-age=0, s-maxage=60, stale-while-revalidate=300"


@pytest.fixture(autouse=True)
def _languages(settings: Settings) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
    sell("MUG", "Enamel mug", price=123_400)


def test_a_visitor_chooses_at_the_foot_of_a_page_and_every_page_follows() -> None:
    shopper = Shopper().open("/p/enamel-mug/")
    shopper.client.post("/language/", {"language": "de"}, headers={"Referer": "http://testserver/p/enamel-mug/"})

    assert shopper.client.cookies["language"].value == "de"
    page = shopper.client.get("/p/enamel-mug/")
    assert (page["Content-Language"], b'<html lang="de"' in page.content) == ("de", True)
    shopper.open("/p/enamel-mug/")
    assert shopper.sees("1.234,00")
    shopper.press("In den Warenkorb").open("/cart/")
    assert shopper.sees("Warenkorb")
    shopper.press("Zur Kasse")
    assert shopper.title.startswith("Lieferung")
    assert shopper.sees("Vereinigtes Königreich")


def test_the_form_is_there_only_where_there_is_a_choice(settings: Settings) -> None:
    assert Shopper().open("/").sees("Deutsch")
    settings.LANGUAGES = [("en-gb", "English")]
    assert not Shopper().open("/cart/").sees("Deutsch")


def test_the_form_leads_back_to_its_page_and_from_elsewhere_to_the_shop() -> None:
    for referer, page in (
        ("http://testserver/cart/?x=1", "/cart/?x=1"),
        ("http://testserver/cart/add/", "/"),
        ("https://evil.example/", "/"),
        ("", "/"),
    ):
        answer = Shopper().client.post("/language/", {"language": "de"}, headers={"Referer": referer})
        assert (answer.status_code, answer["Location"]) == (303, page)


@pytest.mark.parametrize(("code", "site", "status"), [("fr", "same-origin", 303), ("de", "cross-site", 403)])
def test_neither_an_unknown_language_nor_another_site_changes_anything(code: str, site: str, status: int) -> None:
    answer = Shopper().client.post("/language/", {"language": code}, headers={"Sec-Fetch-Site": site})

    assert (answer.status_code, "language" in answer.cookies) == (status, False)


def test_who_has_chosen_nothing_reads_in_the_browsers_language_and_staff_in_english(client: Client) -> None:
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    assert "Alle Produkte" in client.get("/", headers=german).content.decode()
    assert (
        client.get("/api/v1/orders/none", headers=german).json()["detail"].startswith("Diese Bestellung gibt es nicht")
    )
    assert client.get("/", headers={"Accept-Language": "fr"})["Content-Language"] == "en-gb"
    assert client.get("/admin/login/", headers=german)["Content-Language"] == "en-gb"


def test_a_public_page_is_kept_only_by_an_edge_that_keeps_one_for_each_language(client: Client) -> None:
    assert client.get("/")["Cache-Control"] == "private, no-cache"
    kept = client.get("/", headers={"X-Language": "-"})
    assert (kept["Cache-Control"], kept["Vary"]) == (PUBLIC, "Accept-Language, X-Language")

    client.cookies["language"] = "de"
    assert client.get("/", headers={"X-Language": "-"})["Cache-Control"] == "private, no-cache"
    assert client.get("/", headers={"X-Language": "de"})["Cache-Control"] == PUBLIC


def test_in_one_language_a_public_page_stays_as_public_as_it_was(client: Client, settings: Settings) -> None:
    settings.LANGUAGES = [("en-gb", "English")]
    assert client.get("/")["Cache-Control"] == PUBLIC


def test_a_customers_choice_is_the_language_of_their_reminders() -> None:
    user = make_customer("ada@example.com")
    client = Client()
    client.force_login(user)
    client.post("/language/", {"language": "de"}, headers={"Sec-Fetch-Site": "same-origin"})
    leave_cart(user)
    leave_cart(make_customer("bob@example.com"))
    make_campaign()

    assert run() == 2

    sent = {letter.to[0]: letter for letter in mail.outbox}
    assert sent["ada@example.com"].subject.startswith("Ihr Warenkorb ist noch da")
    assert "Zurück zu Ihrem Warenkorb" in sent["ada@example.com"].body
    assert sent["ada@example.com"].extra_headers["Content-Language"] == "de"
    assert sent["bob@example.com"].subject.startswith("Your cart is still here")


def test_mail_preferences_name_the_language_of_mails(client: Client) -> None:
    user = User.objects.create_user("ada@example.com", None)
    client.force_login(user)
    assert "As at your last order" in client.get("/accounts/preferences/").content.decode()

    client.post("/accounts/preferences/", {"cart_reminder": "1", "language": "de"})
    client.post("/accounts/preferences/", {"cart_reminder": "1", "language": "fr"})

    user.refresh_from_db()
    assert user.language == "de"
    assert '<option value="de" lang="de" selected>' in client.get("/accounts/preferences/").content.decode()

    client.post("/accounts/preferences/", {"cart_reminder": "1"})
    user.refresh_from_db()
    assert user.language == "de", "a form without the field changes nothing"
    client.post("/accounts/preferences/", {"cart_reminder": "1", "language": ""})
    user.refresh_from_db()
    assert user.language == ""
