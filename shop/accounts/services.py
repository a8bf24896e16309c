"""Close an account, and delete it; end sessions."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from shop.accounts.models import User, WebSession
from shop.accounts.sessions import SessionStore
from shop.core.clock import is_zone

LONGEST_ZONE = 64
"""Characters of a time zone's name that are kept."""


def choose_language(*, user_id: int, code: str) -> None:
    """Write to a customer in this language from here on; empty: in that of their last checkout."""
    User.objects.filter(pk=user_id).update(language=code)


def learn_time_zone(*, user_id: int, name: str) -> bool:
    """Remember by which clock a customer lives; False if it is no time zone, or known already."""
    if len(name) > LONGEST_ZONE or not is_zone(name):
        return False
    return bool(User.objects.filter(pk=user_id).exclude(time_zone=name).update(time_zone=name))


def close_account(*, user_id: int) -> None:
    """Let nobody act as a customer any more: no sign-in, no session, and nothing of what sessions kept.

    Costs what this customer's sessions cost, however many there are of others. Safe to repeat, also once the account
    is gone.
    """
    User.objects.filter(pk=user_id, is_staff=False).update(is_active=False, password=make_password(None))
    for key in WebSession.objects.filter(user_id=user_id).values_list("session_key", flat=True):
        SessionStore(key).delete()


def forget_sessions() -> None:
    """Delete the sessions that have run out; nobody can use them any more."""
    SessionStore.clear_expired()


def delete_account(*, user_id: int) -> None:
    """Delete a customer's account with its addresses; other apps hear of it. None: success as well."""
    for user in User.objects.filter(pk=user_id, is_staff=False):
        user.delete()
