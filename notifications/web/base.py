"""What the pages behind mail links share: nothing is stored, nobody hears where they came from, nobody is signed in."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from notifications import links, selectors
from notifications.errors import LinkUnknownError
from notifications.links import Purpose
from notifications.models import Message
from shop.core.web.pages import PageView

EXCHANGE_SECONDS = 1_800
_SALT = "notifications.exchange"


class LinkPageView(PageView):
    """A page that a mail led to."""

    purpose: ClassVar[Purpose]
    cookie: ClassVar[str] = ""
    """Where the token is exchanged for one: it names the message, on one path, for half an hour."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - Django's
        """Answer; keep the address of the page, whose path may hold a token, to ourselves."""
        response = super().dispatch(request, *args, **kwargs)
        # Not `no-referrer`: with it browsers send `Origin: null`, and the page's own form is refused. The path, and the
        # token in it, leaves with neither.
        response["Referrer-Policy"] = "strict-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    def by_token(self, request: HttpRequest, token: str) -> Message:
        """Find the reminder that the link came with.

        :raises LinkUnknownError: if the link is altered, of another purpose, or was never sent.
        """
        link_hash = links.read_token(self.purpose, token)
        message = selectors.find_by_link(link_hash=link_hash) if link_hash else None
        if message is None:
            raise LinkUnknownError
        return message

    def exchange(self, request: HttpRequest, message: Message, path: str) -> HttpResponse:
        """Send the browser to the clean address, with a cookie that names the message and signs nobody in."""
        response = HttpResponse(status=302, headers={"Location": path})
        response.set_cookie(
            self.cookie,
            signing.dumps(message.link_hash, salt=_SALT + self.purpose.value),
            max_age=EXCHANGE_SECONDS,
            path=path,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        return response

    def by_cookie(self, request: HttpRequest) -> Message | None:
        """Find the message that the cookie names; None if there is none, or it is over."""
        try:
            link_hash = signing.loads(
                request.COOKIES.get(self.cookie, ""),
                salt=_SALT + self.purpose.value,
                max_age=EXCHANGE_SECONDS,
            )
        except signing.BadSignature:
            return None
        return selectors.find_by_link(link_hash=str(link_hash))


def told(request: HttpRequest, *, title: str, detail: str, status: int, link: str = "", text: str = "") -> HttpResponse:
    """Show a page that says one thing, with one way on."""
    context = {"title": title, "detail": detail, "link": link or reverse("catalog:list"), "link_text": text}
    return render(request, "errors/page.html", context, status=status)
