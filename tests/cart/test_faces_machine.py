"""One shopper's carts by page, API and store against a plain model, by whatever Hypothesis thinks of.

Each step takes the page's forms, the API or the services upon the store, at random; after each, all three have to
show what the model says. A walk through every operation on every face goes first: chance need not find each of them.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cart import keys, recorder, selectors, services
from cart.errors import MergeSourceGoneError
from cart.types import CartChange, CartRef, LineChange
from cart.web.flash import unpack
from shop.accounts.models import User
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.ids import hash_token
from shop.core.templatetags.trolley import dom_id
from tests.cart.helpers import make_sku, quantities

MOST = 99
STOCK = {"A": 5, "B": 50, "C": 300}
PASSWORD = "trolley-demo-1"
Face = Literal["page", "api", "store"]
Lines = dict[str, int]

FACES: tuple[Face, ...] = ("page", "api", "store")
faces = st.sampled_from(FACES)
skus = st.sampled_from(sorted(STOCK))


@dataclass
class Model:
    """A cart and its saved list, without Redis, and what the last change could be undone with."""

    cart: Lines = field(default_factory=dict)
    saved: Lines = field(default_factory=dict)
    token: str = ""
    before: tuple[Lines, Lines] = field(default_factory=lambda: ({}, {}))


def with_line(lines: Lines, sku: str, quantity: int) -> Lines:
    """Give the lines with another quantity of one of them; 0: without it."""
    return {k: n for k, n in {**lines, sku: quantity}.items() if n}


class FacesMachine(RuleBasedStateMachine):
    """A shopper in one browser, a guest at first, with an account that has a cart of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client(headers={"Sec-Fetch-Site": "same-origin"})
        self.email = f"{secrets.token_hex(6)}@example.com"
        self.user = User.objects.create_user(self.email, PASSWORD)
        self.guest, self.account = Model(), Model()
        self.is_signed_in = False
        self.repeat: Callable[[], Any] | None = None

    # ------------------------------------------------------------ how a change is asked for, and what it may do

    @property
    def mine(self) -> Model:
        return self.account if self.is_signed_in else self.guest

    def ref(self) -> CartRef | None:
        if self.is_signed_in:
            return CartRef("u", str(self.user.pk))
        cookie = self.client.cookies.get("cart_session")
        return CartRef("g", hash_token(cookie.value)) if cookie and cookie.value else None

    def api(self, method: str, path: str, data: object = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            b"" if data is None else json.dumps(data),
            content_type="application/json" if data is not None else "",
            headers=headers,
        )

    def page(self, path: str, **form: object) -> Any:
        return self.client.post(f"/cart/{path}", form)

    def store(self, change: Callable[[CartRef], CartChange]) -> CartChange | None:
        """Ask the services; None: refused."""
        ref = self.ref()
        assert ref
        try:
            return change(ref)
        except Refusal:
            return None

    def face(self, wanted: Face) -> Face:
        """Give the face that is used: who has no cart yet is given one by page or API."""
        return "api" if wanted == "store" and self.ref() is None else wanted

    def set(self, *changes: LineChange, **more: Any) -> CartChange | None:
        """Change lines in the store."""
        return self.store(lambda ref: services.change_lines(ref=ref, changes=changes, now=clock.now(), **more))

    def tell(self, answer: Any, cart: Lines | None, saved: Lines | None = None) -> None:
        """Hold an answer against what the model expects: lists as they shall be, or None for a refusal."""
        if answer is None or isinstance(answer, CartChange):
            assert (answer is None) == (cart is None)
            token = answer.undo if answer else ""
        else:
            is_page = not answer.request["PATH_INFO"].startswith("/api/")
            allowed = (404, 409, 410, 422) if cart is None else (303,) if is_page else (200, 201)
            assert answer.status_code in allowed, answer.content
            token = self._undo_of(answer) if cart is not None else ""
        if cart is None:
            return
        mine = self.mine
        mine.token, mine.before = token, (mine.cart, mine.saved)
        mine.cart, mine.saved = cart, mine.saved if saved is None else saved
        self.repeat = None

    @staticmethod
    def _undo_of(answer: Any) -> str:
        if answer.request["PATH_INFO"].startswith("/api/"):
            return str(answer.json().get("undo", ""))
        did = unpack(parse_qs(urlsplit(answer["Location"]).query).get("did", [""])[0])
        return did.undo if did else ""

    def fitting(self, sku: str, wanted: int, face: Face) -> Lines | None:
        """Give the cart with so many units: the page takes what there is, the API refuses; nobody passes the cap."""
        if wanted > STOCK[sku] and face == "page":
            wanted = STOCK[sku]
        held = self.mine.cart.get(sku, 0)
        return None if wanted > held and wanted > min(STOCK[sku], MOST) else with_line(self.mine.cart, sku, wanted)

    # ------------------------------------------------------------ rules

    @rule(face=faces, sku=skus, quantity=st.integers(0, 120))
    def set_line(self, face: Face, sku: str, quantity: int) -> None:
        cart = None if quantity > MOST else self.fitting(sku, quantity, face)
        match self.face(face):
            case "page":
                self.tell(self.page(f"lines/{sku}/", quantity=quantity), cart)
            case "api":
                self.tell(self.api("PUT", f"cart/items/{sku}", {"quantity": quantity}), cart)
            case "store":
                self.tell(self.set(LineChange("set", sku, quantity)), cart)

    @rule(face=faces, sku=skus, quantity=st.integers(1, 120))
    def add(self, face: Face, sku: str, quantity: int) -> None:
        cart = None if quantity > MOST else self.fitting(sku, self.mine.cart.get(sku, 0) + quantity, face)
        key = secrets.token_hex(8)
        used = self.face(face)

        def ask() -> Any:
            if used == "page":
                return self.page("add/", sku_id=sku, quantity=quantity, op=key)
            if used == "store":
                return self.set(LineChange("add", sku, quantity), operation_id=key)
            return self.api("POST", "cart/items", {"sku_id": sku, "quantity": quantity}, **{"Idempotency-Key": key})

        self.tell(ask(), cart)
        self.repeat = ask if cart is not None else None

    @precondition(lambda self: self.repeat)
    @rule()
    def replay(self) -> None:
        assert self.repeat
        answer = self.repeat()
        if isinstance(answer, CartChange):
            assert answer.was_replayed
            return
        assert answer.status_code in (200, 303), answer.content
        if answer.status_code == 200:
            assert answer.headers["Idempotent-Replayed"] == "true"

    @rule(
        face=st.sampled_from(["api", "store"]),
        lines=st.dictionaries(skus, st.integers(0, 60), min_size=1),
        is_whole=st.booleans(),
    )
    def set_many(self, face: Face, lines: Lines, is_whole: bool) -> None:  # noqa: FBT001 - drawn
        """Set many lines at once, which no form of the page does."""
        cart: Lines | None = {} if is_whole else self.mine.cart
        for sku, quantity in lines.items():
            fits = self.fitting(sku, quantity, "api")
            cart = None if fits is None or cart is None else with_line(cart, sku, fits.get(sku, 0))
        if self.face(face) == "store":
            mode = "replace" if is_whole else "patch"
            self.tell(self.set(*(LineChange("set", k, n) for k, n in lines.items()), mode=mode), cart)
            return
        body = {"items": [{"sku_id": k, "quantity": n} for k, n in lines.items()]}
        whole = {"mode": "replace"} if is_whole else {}
        tag = self.api("GET", "cart").headers["ETag"]
        self.tell(self.api("PATCH", "cart", body | whole, **{"If-Match": tag}), cart)

    @rule(face=faces, sku=skus)
    def remove(self, face: Face, sku: str) -> None:
        cart = with_line(self.mine.cart, sku, 0)
        match self.face(face):
            case "page":
                self.tell(self.page(f"lines/{sku}/remove/"), cart)
            case "api":
                self.tell(self.api("DELETE", f"cart/items/{sku}"), cart)
            case "store":
                self.tell(self.store(lambda ref: services.remove_line(ref=ref, sku_id=sku, now=clock.now())), cart)

    @rule(face=faces)
    def empty(self, face: Face) -> None:
        match self.face(face):
            case "page":
                self.tell(self.page("empty/"), {})
            case "api":
                self.tell(self.api("DELETE", "cart"), {})
            case "store":
                self.tell(self.store(lambda ref: services.empty_cart(ref=ref)), {})

    @rule(face=faces, sku=skus, quantity=st.integers(1, 60))
    def save(self, face: Face, sku: str, quantity: int) -> None:
        held = self.mine.cart.get(sku, 0)
        moved = held if face == "page" else min(quantity, held)
        lists: tuple[Lines | None, Lines | None] = (None, None)
        if held:
            there = min(MOST, self.mine.saved.get(sku, 0) + moved)
            lists = with_line(self.mine.cart, sku, held - moved), with_line(self.mine.saved, sku, there)
        used = self.face(face)
        if used == "page":
            self.tell(self.page(f"lines/{sku}/save/"), *lists)
        elif used == "store":
            self.tell(self.set(LineChange("save", sku, quantity)), *lists)
        else:
            move = {"sku_id": sku, "to": "saved", "quantity": quantity}
            self.tell(self.api("POST", "cart/moves", {"moves": [move]}), *lists)

    @rule(face=faces, sku=skus, quantity=st.integers(1, 60))
    def move_back(self, face: Face, sku: str, quantity: int) -> None:
        there, held = self.mine.saved.get(sku, 0), self.mine.cart.get(sku, 0)
        wanted = there if face == "page" else min(quantity, there)
        cart = self.fitting(sku, held + wanted, face) if there else None
        moved = (cart or {}).get(sku, 0) - held
        saved = with_line(self.mine.saved, sku, there - moved)
        if moved <= 0:
            cart = None
        used = self.face(face)
        if used == "page":
            self.tell(self.page(f"saved/{sku}/move/"), cart, saved)
        elif used == "store":
            self.tell(self.set(LineChange("unsave", sku, quantity)), cart, saved)
        else:
            move = {"sku_id": sku, "to": "cart", "quantity": quantity}
            self.tell(self.api("POST", "cart/moves", {"moves": [move]}), cart, saved)

    @rule(face=faces, sku=skus, quantity=st.integers(1, 120))
    def put_aside(self, face: Face, sku: str, quantity: int) -> None:
        cart = None if quantity > MOST else self.mine.cart
        saved = with_line(self.mine.saved, sku, quantity)
        used = self.face(face)
        if used == "page":
            self.tell(self.page("save/", sku_id=sku, quantity=quantity), cart, saved)
        elif used == "store":
            self.tell(self.set(LineChange("set_saved", sku, quantity)), cart, saved)
        else:
            self.tell(self.api("PUT", f"saved-items/{sku}", {"quantity": quantity}), cart, saved)

    @rule(face=faces, sku=skus)
    def drop_saved(self, face: Face, sku: str) -> None:
        answer: Any
        match self.face(face):
            case "page":
                answer = self.page(f"saved/{sku}/remove/")
            case "api":
                answer = self.api("DELETE", f"saved-items/{sku}")
            case "store":
                answer = self.set(LineChange("set_saved", sku, 0))
        self.tell(answer, self.mine.cart, with_line(self.mine.saved, sku, 0))

    @precondition(lambda self: self.mine.token)
    @rule(face=faces)
    def undo(self, face: Face) -> None:
        token, before = self.mine.token, self.mine.before
        answer: Any
        match self.face(face):
            case "page":
                answer = self.page("undo/", undo=token)
            case "api":
                answer = self.api("POST", "cart/undo", {"undo": token})
            case "store":
                answer = self.store(lambda ref: services.undo(ref=ref, undo=token))
        self.tell(answer, *before)
        self.mine.token = ""

    @precondition(lambda self: not self.is_signed_in)
    @rule(face=faces)
    def sign_in(self, face: Face) -> None:
        cookie = self.client.cookies.get("cart_session")
        if face == "page":
            login = {"login": self.email, "password": PASSWORD}
            assert self.client.post("/accounts/login/", login).status_code == 302
        else:
            self.client.force_login(self.user)
            if face == "store" and cookie and cookie.value:
                source_ref = CartRef("g", hash_token(cookie.value))
                with contextlib.suppress(MergeSourceGoneError):
                    services.merge_guest_cart(guest_ref=source_ref, user_id=self.user.pk, now=clock.now())
            elif cookie and cookie.value:
                source = {"source": {"cart_session": cookie.value}, "merge_id": secrets.token_hex(4)}
                answer = self.api("POST", "cart/merge", source)
                # A guest who never wrote anything that stayed has no cart to join.
                assert answer.status_code in (200, 409), answer.content
        guest, account = self.guest, self.account
        has_cart = bool(cookie and cookie.value)
        self.is_signed_in, self.guest, self.repeat = True, Model(), None
        if not has_cart:
            return
        before = account.cart
        account.cart = {
            sku: max(before.get(sku, 0), min(max(before.get(sku, 0), guest.cart.get(sku, 0)), STOCK[sku], MOST))
            for sku in {*before, *guest.cart}
        }
        account.saved = {
            sku: max(account.saved.get(sku, 0), guest.saved.get(sku, 0)) for sku in {*account.saved, *guest.saved}
        }
        account.token = selectors.get_cart(ref=self.ref()).merge_undo
        # Undoing brings the account's cart back; what the guest had goes to the saved list, unless it is there.
        account.before = (before, {**guest.cart, **account.saved})

    @precondition(lambda self: self.is_signed_in)
    @rule()
    def sign_out(self) -> None:
        self.client.logout()
        self.is_signed_in, self.repeat = False, None

    @rule(all_of_it=st.booleans())
    def lose(self, all_of_it: bool) -> None:  # noqa: FBT001 - drawn
        """Let the cart expire, or Redis lose everything, once it is recorded."""
        recorder.drain()
        ref = self.ref()
        with redis.Redis.from_url(django_settings.CART.redis_url) as client:
            if all_of_it:
                client.flushdb()
                # What could be undone or repeated was in Redis alone.
                self.guest.token = self.account.token = ""
                self.repeat = None
            elif ref:
                client.delete(*(name(ref.owner) for name in (keys.cart, keys.saved, keys.asked)))

    # ------------------------------------------------------------ what is shown

    @invariant()
    def agree(self) -> None:
        expected = self.mine.cart, self.mine.saved
        cart, saved = selectors.get_cart_and_saved(ref=self.ref())
        assert (quantities(cart), {line.sku_id: line.quantity for line in saved}) == expected
        body = self.api("GET", "cart?expand=saved").json()
        lists = [{line["sku_id"]: line["quantity"] for line in body[name]} for name in ("items", "saved")]
        assert (lists[0], lists[1], body["saved_count"]) == (*expected, len(expected[1]))
        assert self._drawn(self.client.get("/cart/").content.decode()) == expected

    @staticmethod
    def _drawn(page: str) -> tuple[Lines, Lines]:
        names = {dom_id(sku): sku for sku in STOCK}
        cart = re.findall(r'id="quantity-(\S+)" name="quantity" value="(\d+)"', page)
        saved = re.findall(r'<li id="saved-(\S+)".*?Quantity: (\d+)', page, re.DOTALL)
        return ({names[k]: int(n) for k, n in cart}, {names[k]: int(n) for k, n in saved})


def walk(machine: FacesMachine, face: Face) -> None:
    """Do everything that can be done once with this face, comparing after each step."""
    many: Face = "api" if face == "page" else face
    steps: list[Callable[[], None]] = [
        lambda: machine.add(face=face, sku="B", quantity=2),
        machine.replay,
        lambda: machine.set_line(face=face, sku="B", quantity=7),
        lambda: machine.set_line(face=face, sku="A", quantity=6),  # more than there is
        lambda: machine.set_line(face=face, sku="C", quantity=100),  # more than a line takes
        lambda: machine.set_many(face=many, lines={"B": 3, "C": 4}, is_whole=False),
        lambda: machine.set_many(face=many, lines={"B": 5}, is_whole=True),
        lambda: machine.undo(face=face),
        lambda: machine.save(face=face, sku="B", quantity=2),
        lambda: machine.undo(face=face),
        lambda: machine.save(face=face, sku="C", quantity=60),
        lambda: machine.put_aside(face=face, sku="A", quantity=9),
        lambda: machine.move_back(face=face, sku="C", quantity=1),
        lambda: machine.move_back(face=face, sku="A", quantity=9),  # the page takes what there is
        lambda: machine.lose(all_of_it=False),
        lambda: machine.remove(face=face, sku="B"),
        lambda: machine.undo(face=face),
        lambda: machine.lose(all_of_it=True),
        lambda: machine.drop_saved(face=face, sku="A"),
        lambda: machine.empty(face=face),
        lambda: machine.undo(face=face),
    ]
    for step in steps:
        step()
        machine.agree()


@pytest.mark.django_db
@pytest.mark.usefixtures("cart_redis")
@pytest.mark.parametrize("face", FACES)
def test_every_operation_does_on_this_face_what_the_model_does(face: Face) -> None:
    for sku, on_hand in STOCK.items():
        make_sku(sku, on_hand=on_hand)
    machine = FacesMachine()
    services.set_quantity(ref=CartRef("u", str(machine.user.pk)), sku_id="B", quantity=1, now=clock.now())
    machine.account.cart = {"B": 1}
    machine.add(face="page", sku="C", quantity=1)
    walk(machine, face)
    machine.sign_in(face=face)
    machine.agree()
    machine.undo(face=face)
    machine.agree()
    walk(machine, face)
    machine.sign_out()
    machine.agree()


@pytest.mark.django_db
@pytest.mark.usefixtures("cart_redis")
def test_page_api_and_store_show_what_the_shopper_did_whatever_redis_forgets() -> None:
    for sku, on_hand in STOCK.items():
        make_sku(sku, on_hand=on_hand)
    run_state_machine_as_test(
        FacesMachine,
        settings=settings(
            max_examples=7, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
