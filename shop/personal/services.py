"""Find what all apps know of a person, give it out, erase it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cart import selectors as carts
from cart import services as cart_services
from notifications import selectors as told
from notifications import services as notifications
from pricing import selectors as prices
from pricing import services as pricing
from shop.accounts import selectors as accounts
from shop.accounts import services as account_services
from shop.checkout import selectors as orders
from shop.checkout import services as checkout
from shop.checkout.selectors.exporting import Trail
from shop.personal.errors import CustomerUnknownError


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about: a customer, a guest by mail address, or both in one."""

    user_id: int | None
    email: str
    guest_email: str
    """As `email` where it is shown to be theirs: what guests bought with it belongs to them. Else empty."""


def find_person(*, who: str) -> Person:
    """Find a customer by number (`42`, `u:42`) or mail address, or a guest by the mail address of a purchase.

    With an account's address goes what guests bought with it, if the customer has confirmed that it is theirs: anybody
    can type an address. An address without account is a guest's own, who reads what is sent there.

    :raises CustomerUnknownError: if there is none, or it is a member of staff.
    """
    number = who.strip().removeprefix("u:")
    is_number = number.isascii() and number.isdecimal() and len(number) <= 18  # noqa: PLR2004 - a bigint's digits
    contact = (
        accounts.find_contact(user_id=int(number)) if is_number else accounts.find_contact_by_email(email=who.strip())
    )
    if contact is not None and not contact.is_staff:
        return Person(contact.user_id, contact.email, contact.email if contact.is_verified else "")
    person = Person(None, who.strip(), who.strip())
    if contact is not None or is_number or "@" not in who or "\0" in who or not _trail(person).checkout_ids:
        raise CustomerUnknownError
    return person


def _trail(person: Person) -> Trail:
    return orders.list_trail(user_id=person.user_id, guest_email=person.guest_email)


def list_order_numbers(person: Person) -> tuple[str, ...]:
    """List the orders of a person, by number."""
    return _trail(person).order_numbers


def export_person(person: Person) -> dict[str, Any]:
    """Give all that the shop knows of a person, as JSON-able values; nothing in it acts for them.

    :raises CartsUnavailableError: if Redis cannot answer now.
    """
    user_id = person.user_id
    bought = orders.export_buyer(user_id=user_id, guest_email=person.guest_email)
    numbers = [order["number"] for order in bought["orders"]]
    return {
        "account": None if user_id is None else accounts.export_customer(user_id=user_id),
        "cart": None if user_id is None else carts.export_customer(user_id=user_id),
        **bought,
        "prices": None if user_id is None else prices.export_customer(user_id=user_id),
        "messages": told.export_customer(user_id=user_id, email=person.email, order_numbers=numbers),
    }


def erase_person(person: Person, *, now: datetime, note: Callable[[], None] | None = None) -> tuple[str, ...]:
    """Erase a person: account, sessions, cart and saved list, reminders, personal codes; give the numbers of orders.

    Orders and payments stay for the books, without name, address and mail address; suppressed addresses stay as hashes,
    so that nobody is written to again. The account goes last: where this breaks off, it is closed already, and a repeat
    goes on. `note` is called before anything is done.

    :raises MoneyUnderWayError: if a payment is not settled; nothing was changed.
    :raises CartsUnavailableError: if Redis cannot answer now; the account is closed then, and nothing else done.
    """
    user_id = person.user_id
    checkout.require_settled(user_id=user_id, guest_email=person.guest_email)
    if note is not None:
        note()
    if user_id is not None:
        account_services.close_account(user_id=user_id)
        cart_services.forget_customer(user_id=user_id, now=now)
    # What leads to the rest goes last: a repeat has to find it.
    trail = _trail(person)
    pricing.forget_customer(user_id=user_id, checkout_ids=trail.checkout_ids, now=now)
    notifications.forget_order_mails(order_numbers=trail.order_numbers, payment_ids=trail.payment_ids)
    checkout.forget_buyer(user_id=user_id, guest_email=person.guest_email, now=now)
    if user_id is not None:
        account_services.delete_account(user_id=user_id)
    return trail.order_numbers
