"""The same-origin rule for forms on public pages, which carry no CSRF token because they are cached at the edge."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest


def is_same_origin(request: HttpRequest) -> bool:
    """Tell whether a browser sent this request from a page of this host.

    `Sec-Fetch-Site` decides where it is sent (a page cannot forge it); older browsers send `Origin` with every POST.
    With neither of them nothing is known, and that is a no.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("Origin", ""))
    return bool(origin.netloc) and (origin.scheme, origin.netloc) == (request.scheme, request.get_host())
