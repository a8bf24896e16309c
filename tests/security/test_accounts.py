"""Whose account it is: what a stranger learns about one, and what it takes to change or leave it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from shop.accounts.models import User
from tests.api.helpers import Api, sell

pytestmark = pytest.mark.django_db

PASSWORD = "long enough to be safe"
OTHER = "another that is long enough"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.com", PASSWORD)


def signed_in(email: str = "ada@example.com") -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def _without_tokens(content: bytes, *shown: str) -> bytes:
    for text in shown:
        content = content.replace(text.encode(), b"")
    before, _, after = content.partition(b'name="csrfmiddlewaretoken" value="')
    return before + after.partition(b'"')[2]


@pytest.mark.parametrize(
    ("path", "typed"),
    [("/accounts/login/", {"login": "", "password": "wrong"}), ("/accounts/password/reset/", {"email": ""})],
)
def test_sign_in_and_reset_say_the_same_of_every_address(ada: User, path: str, typed: dict[str, str]) -> None:
    said = []
    for email in (ada.email, "bob@example.com"):
        answer = Client().post(path, {name: value or email for name, value in typed.items()})
        said.append((answer.status_code, answer.get("Location"), _without_tokens(answer.content, email)))
    assert said[0] == said[1]


def test_whoever_asks_for_an_unknown_addresss_password_is_told_by_mail_only(ada: User) -> None:
    for email in (ada.email, "bob@example.com"):
        Client().post("/accounts/password/reset/", {"email": email})
    assert [letter.to for letter in mail.outbox] == [[ada.email], ["bob@example.com"]]


def test_an_unknown_address_takes_as_much_hashing_as_a_known_one(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher  # noqa: PLC0415

    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    counts = []
    for email in (ada.email, "bob@example.com"):
        hashed.clear()
        Client().post("/accounts/login/", {"login": email, "password": "wrong"})
        counts.append(len(hashed))
    assert counts[0] == counts[1] > 0


def test_a_mail_address_is_changed_only_by_who_has_just_typed_the_password(ada: User) -> None:
    client = signed_in()
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 1.0, "email": ada.email}]
    session.save()
    wanted = {"email": "thief@example.com", "action_add": ""}

    asked = client.post("/accounts/email/", wanted)
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert not mail.outbox

    assert b"password" in client.get(asked["Location"]).content
    assert client.post(asked["Location"], {"password": "wrong"}).status_code == 200
    client.post(asked["Location"], {"password": PASSWORD})
    client.post("/accounts/email/", wanted)
    assert [letter.to for letter in mail.outbox] == [["thief@example.com"]]
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"  # until the new one is confirmed


def test_a_new_password_ends_every_other_session(ada: User) -> None:
    here, there, app = signed_in(), signed_in(), Api()
    assert app.sign_in(ada.email, PASSWORD).status_code == 200
    assert app("GET", "orders").status_code == 200

    typed = {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER}
    assert here.post("/accounts/password/change/", {**typed, "oldpassword": "wrong"}).status_code == 200
    assert there.get("/accounts/email/").status_code == 200
    assert here.post("/accounts/password/change/", typed).status_code == 302

    assert there.get("/accounts/email/")["Location"].startswith("/accounts/login/")
    assert app("GET", "orders").status_code == 401


def test_the_session_changes_at_sign_in_and_out_and_the_earlier_one_is_dead(ada: User) -> None:
    sell("MUG-1")
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    client.post("/cart/add/", {"sku_id": "MUG-1", "quantity": "2"})
    client.cookies["sessionid"] = "planted0planted0planted0planted0"
    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    mine = client.cookies["sessionid"].value
    assert mine != "planted0planted0planted0planted0"
    assert client.cookies["cart_n"].value == "2"

    left = client.post("/accounts/logout/")
    assert left["Clear-Site-Data"] == '"cache"'
    old = Client()
    old.cookies["sessionid"] = mine
    assert old.get("/accounts/email/").status_code == 302
    assert signed_in().cookies["cart_n"].value == "2"


def test_account_pages_are_kept_nowhere(ada: User) -> None:
    client = signed_in()
    for path in ("/accounts/email/", "/accounts/password/change/", "/accounts/preferences/", "/orders/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
    for path in ("/accounts/email/", "/accounts/password/reset/", "/accounts/login/", "/admin/"):
        assert "no-store" in Client().get(path)["Cache-Control"]


def test_every_cookie_is_bound_as_tightly_as_its_use_allows(ada: User) -> None:
    sell("MUG-1")
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    added = client.post("/cart/add/", {"sku_id": "MUG-1", "quantity": "1"}, secure=True)
    started = client.post("/checkout/", secure=True, headers={"Origin": "https://testserver"})
    entered = client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD}, secure=True)
    cookies = {name: cookie for answer in (added, started, entered) for name, cookie in answer.cookies.items()}

    assert set(cookies) >= {"__Host-cart_session", "cart_n", "cart_v", "own_checkout", "sessionid", "csrftoken"}
    for name, cookie in cookies.items():
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", ""), name
        assert len(cookie.OutputString()) < 4096
        # A script reads the badge's number and the token of its own forms, and nothing else.
        assert bool(cookie["httponly"]) == (name not in ("cart_n", "cart_v", "csrftoken")), name
        # Those two are Secure by a setting that production makes.
        assert cookie["secure"] or name in ("sessionid", "csrftoken"), name


@pytest.mark.parametrize("proxies", [0, 1])
def test_guesses_are_counted_by_the_address_that_is_trusted(ada: User, settings: object, proxies: int) -> None:
    settings.API = replace(settings.API, trusted_proxies=proxies)  # type: ignore[attr-defined]

    def tried(number: int, address: str) -> bool:
        typed = {"login": f"nobody{number}@example.com", "password": "wrong"}
        answer = Client().post("/accounts/login/", typed, headers={"X-Forwarded-For": f"192.0.2.{number}, {address}"})
        return b"Too many" in answer.content

    # One caller who forges what stands before the proxy's word is still one caller.
    assert any(tried(number, "198.51.100.1") for number in range(40))
    # Behind our own proxy the next caller is another one; without one, the header is nobody's word.
    assert tried(50, "198.51.100.2") == (proxies == 0)


def _guessed(door: str, number: int, host: str = "testserver") -> bytes:
    name = "username" if door == "/admin/login/" else "login"
    address = {"X-Forwarded-For": f"192.0.2.{number}", "Host": host}
    return Client().post(door, {name: "Ada@example.com", "password": "wrong"}, headers=address).content


def _each_call_from_elsewhere(settings: Settings) -> None:
    settings.API = replace(settings.API, trusted_proxies=1)


@pytest.mark.parametrize("door", ["/accounts/login/", "/admin/login/"])
def test_one_accounts_password_is_not_guessed_from_many_addresses_or_under_many_spellings_of_the_host(
    ada: User, settings: Settings, door: str
) -> None:
    _each_call_from_elsewhere(settings)
    hosts = ("testserver", "TESTSERVER", "testserver:1", "localhost", "TestServer:2")
    assert not [host for number, host in enumerate(hosts) if b"Too many" in _guessed(door, number, host)]
    assert b"Too many" in _guessed(door, 6, "Testserver:3")


def test_wrong_passwords_of_staff_count_at_both_doors_together_and_right_ones_do_not(settings: Settings) -> None:
    _each_call_from_elsewhere(settings)
    User.objects.create_superuser("ada@example.com", PASSWORD)
    for _ in range(6):
        right = {"username": "ada@example.com", "password": PASSWORD}
        assert Client().post("/admin/login/?next=/admin/", right)["Location"] == "/admin/"
    doors = ("/admin/login/", "/accounts/login/")
    assert not [number for number in range(5) if b"Too many" in _guessed(doors[number % 2], number)]
    assert all(b"Too many" in _guessed(door, 6) for door in doors)


def test_a_customer_is_refused_at_staffs_door_as_anybody_is(ada: User) -> None:
    said = set()
    for password in (PASSWORD, "wrong"):
        answer = Client().post("/admin/login/", {"username": ada.email, "password": password})
        assert answer.status_code == 200
        said.add(_without_tokens(answer.content))
    assert len(said) == 1


@pytest.mark.parametrize("is_app", [False, True])
def test_links_in_mails_about_accounts_are_of_our_own_host_whatever_the_request_says(
    ada: User,
    settings: Settings,
    is_app: bool,  # noqa: FBT001 - a parameter
) -> None:
    settings.BASE_URL = "https://shop.example.com"
    settings.ALLOWED_HOSTS = ["evil.shop.example.com"]
    spoofed = {"Host": "evil.shop.example.com", "X-Forwarded-Host": "evil.example.net"}
    asks = [("ada@example.com", "password/reset"), ("nobody@example.com", "password/reset"), ("eve@example.com", "up")]
    for email, what in asks:
        fields = {"email": email} | ({"password" if is_app else "password1": PASSWORD} if what == "up" else {})
        if is_app:
            path = "/api/v1/auth/app/v1/auth/" + ("password/request" if what != "up" else "signup")
            answer = Client().post(path, fields, content_type="application/json", headers=spoofed)
        else:
            answer = Client().post("/accounts/" + (what if what != "up" else "signup") + "/", fields, headers=spoofed)
        assert answer.status_code < 422, answer.content

    letters = {letter.to[0]: str(letter.body) for letter in mail.outbox}
    assert set(letters) == {email for email, _ in asks}
    for said in letters.values():
        links = re.findall(r"https?://\S+", said)
        assert links
        assert all(link.startswith("https://shop.example.com/accounts/") for link in links), links
        assert "evil" not in said
    (reset,) = re.findall(r"https://shop.example.com(\S+)", letters["ada@example.com"])
    settings.ALLOWED_HOSTS = ["testserver"]
    page = Client().get(reset, follow=True)
    assert b'name="password1"' in page.content
    assert b'action="/accounts/password/reset/key/' in page.content or page.redirect_chain
    (confirm,) = re.findall(r"https://shop.example.com(/accounts/confirm-email\S+)", letters["eve@example.com"])
    assert b"eve@example.com" in Client().get(confirm).content
