"""Reads of customers for those who write to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import Exists, OuterRef, Q

from shop.accounts.models import User
from shop.core.db import array_text, rows

_NOT_CUSTOMERS = """
SELECT id, is_staff FROM accounts_user WHERE id = ANY(%(user_ids)s::bigint[]) AND (is_staff OR NOT is_active)
"""


@dataclass(frozen=True, slots=True)
class Contact:
    """How a customer can be reached. Mails are for `email`; it stays out of logs."""

    user_id: int
    email: str
    first_name: str
    is_active: bool
    is_staff: bool
    is_verified: bool
    """The customer has shown that the address is theirs."""
    language: str = ""
    """Chosen for mails; empty if none was."""
    time_zone: str = ""
    """Of the browser in which they last signed in; empty if it is not known."""


def find_contact(*, user_id: int) -> Contact | None:
    """Look a customer up; None if there is none (any more)."""
    return list_contacts(user_ids=[user_id]).get(user_id)


def list_contacts(*, user_ids: Collection[int]) -> dict[int, Contact]:
    """Look customers up; who does not exist (any more) is absent. One query."""
    return {contact.user_id: contact for contact in _list(Q(pk__in=user_ids))}


def find_contact_by_email(*, email: str) -> Contact | None:
    """Look a customer up by mail address, in any case; None if there is none."""
    return next(iter(_list(Q(email__iexact=email.strip()))), None) if "\x00" not in email else None


def export_customer(*, user_id: int) -> dict[str, Any]:
    """Give what the account of a customer who asks for their data holds, as JSON-able values, without its secrets."""
    user = User.objects.get(pk=user_id)
    return {
        "customer": user.pk,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": user.language,
        "time_zone": user.time_zone,
        "joined_at": user.date_joined.isoformat(),
        "last_signed_in_at": user.last_login.isoformat() if user.last_login else None,
        "mail_addresses": [
            {"email": address.email, "confirmed": address.verified, "primary": address.primary}
            for address in EmailAddress.objects.filter(user=user).order_by("pk")
        ],
    }


def list_not_customers(*, user_ids: Collection[int]) -> dict[int, bool]:
    """Tell which of these ids are staff (True) or are no longer active (False): one query."""
    return dict(rows(_NOT_CUSTOMERS, {"user_ids": array_text(user_ids)}))


def _list(condition: Q) -> list[Contact]:
    verified = EmailAddress.objects.filter(user=OuterRef("pk"), email__iexact=OuterRef("email"), verified=True)
    return [
        Contact(
            user_id=user.pk,
            email=user.email,
            first_name=user.first_name,
            is_active=user.is_active,
            is_staff=user.is_staff,
            is_verified=user.is_verified,
            language=user.language,
            time_zone=user.time_zone,
        )
        for user in User.objects.filter(condition).annotate(is_verified=Exists(verified)).order_by("pk")
    ]
