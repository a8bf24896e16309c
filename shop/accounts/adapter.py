"""What allauth asks the shop."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from shop.core.http import network_address


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """allauth's own, but for who calls."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Give the address that sign-ins, sign-ups and resets are counted by: the one that every other limit goes by.

        allauth would take the proxy's for everybody's, and whoever guesses would lock everybody else out.
        """
        return network_address(request)
