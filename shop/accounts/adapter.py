"""What allauth asks the shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.adapter import DefaultHeadlessAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from shop.core.http import network_address

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """How mails about accounts name the shop."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's own, but for who calls and what the shop is called: a request's `Host` is the caller's word."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Give the address that sign-ins, sign-ups and resets are counted by: the one that every other limit goes by.

        allauth would take the proxy's for everybody's, and whoever guesses would lock everybody else out.
        """
        return network_address(request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Write to a mail address, in the shop's own name."""
        site = Site(name=_("Trolley"), domain=urlsplit(settings.BASE_URL).netloc)
        super().send_mail(template_prefix, email, {**context, "current_site": site})

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:  # noqa: ANN401 - allauth's
        """Count a try.

        :raises ValidationError: if there were too many.
        """
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            log.warning("sign_in_limited", account=_account(credentials), door=request.path)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:  # noqa: ANN401 - allauth's
        """Note a wrong password."""
        log.warning("sign_in_failed", account=_account(credentials), door=request.path)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ANN401 - allauth's
        """Name the account whose wrong passwords are counted.

        allauth puts the host before it, as the caller spelled it: every other spelling would begin to count anew.
        """
        return str(credentials.get("email", "")).strip().lower()


def _account(credentials: dict[str, Any]) -> str:
    """Name an account in the log, so that tries on one can be told from tries on many, and nobody is named."""
    email = str(credentials.get("email", "")).strip().lower()
    return salted_hmac("accounts.sign_in", email, algorithm="sha256").hexdigest()[:16]


class HeadlessAdapter(DefaultHeadlessAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's own, but for where the links in mails about accounts lead, whoever asked for them, page or app."""

    def get_frontend_url(self, urlname: str, **kwargs: str) -> str:
        """Give the address of a page of ours. Without this, links would follow the `Host` of the request."""
        if urlname == "account_reset_password_from_key":
            kwargs["uidb36"], _, kwargs["key"] = kwargs["key"].partition("-")
        return f"{settings.BASE_URL}{reverse(urlname, kwargs=kwargs)}"
