"""What allauth asks the shop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.headless.adapter import DefaultHeadlessAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from shop.core.http import network_address


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

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ANN401 - allauth's
        """Name the account whose wrong passwords are counted.

        allauth puts the host before it, as the caller spelled it: every other spelling would begin to count anew.
        """
        return str(credentials.get("email", "")).strip().lower()


class HeadlessAdapter(DefaultHeadlessAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's own, but for where the links in mails about accounts lead, whoever asked for them, page or app."""

    def get_frontend_url(self, urlname: str, **kwargs: str) -> str:
        """Give the address of a page of ours. Without this, links would follow the `Host` of the request."""
        if urlname == "account_reset_password_from_key":
            kwargs["uidb36"], _, kwargs["key"] = kwargs["key"].partition("-")
        return f"{settings.BASE_URL}{reverse(urlname, kwargs=kwargs)}"
