"""The base of every page: refusals and missing servers become pages in the shop's look, caching is said once."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import BadRequest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import View

from shop.core.errors import ConflictError, NotFoundError, Refusal, RejectedError, TooOftenError, UnavailableError
from shop.core.words import words

R = TypeVar("R", bound=HttpResponseBase)
NO_STORE = "no-store"
PRIVATE = "private, no-cache"
PUBLIC = "public, max-age=0, s-maxage=60, stale-while-revalidate=300"

_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (TooOftenError, 429),
    (NotFoundError, 404),
    (RejectedError, 422),
    (ConflictError, 409),
    (UnavailableError, 503),
)


class PageView(View):
    """A page: a method a verb, one call into the domain. Subclasses say how it may be cached."""

    cache_control: ClassVar[str] = NO_STORE
    repeatable: ClassVar[frozenset[str]] = frozenset()
    """Fields that a form may hold more than once."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - Django's
        """Answer, and turn what was refused or cannot be reached into a page.

        :raises BadRequest: if the form holds a field twice: which one counts is a question nobody should have to ask.
        """
        if any(len(values) > 1 and name not in self.repeatable for name, values in request.POST.lists()):
            raise BadRequest("a field of the form is there twice")
        try:
            response = super().dispatch(request, *args, **kwargs)
        except Refusal as refusal:
            response = self.refuse(request, refusal)
        except (OperationalError, InterfaceError):
            response = unavailable(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = self.cache_control if response.status_code < 400 else NO_STORE  # noqa: PLR2004
        return response

    def refuse(self, request: HttpRequest, refusal: Refusal) -> HttpResponse:
        """Show a refusal that no page of its own knows how to show."""
        return refused(request, refusal)


def status_of(refusal: Refusal) -> int:
    """Tell the HTTP status of a refusal: of its family, unless it has one of its own."""
    return next((status for family, status in _STATUS if isinstance(refusal, family)), 409)


def refused(request: HttpRequest, refusal: Refusal, *, link: str = "", link_text: str = "") -> HttpResponse:
    """Render a refusal as a page of its own, with a link onwards (the cart, unless another is named)."""
    said = words(refusal)
    if isinstance(refusal, NotFoundError) and not link:
        link, link_text = reverse("catalog:list"), _("Keep shopping")
    response = render(
        request,
        "errors/page.html",
        {
            "title": said.title,
            "detail": said.detail,
            "link": link or reverse("cart:cart"),
            "link_text": link_text or _("View cart"),
        },
        status=status_of(refusal),
    )
    return with_retry_after(response, refusal)


def with_retry_after(response: R, refusal: Refusal) -> R:
    """Say in the header when what was refused may be tried again, where the refusal says so."""
    if refusal.retry_after_seconds is not None:
        response["Retry-After"] = str(refusal.retry_after_seconds)
    return response


def unavailable(request: HttpRequest) -> HttpResponse:
    """Say that a server which the page needs cannot be reached; neither database nor Redis is asked."""
    response = render(
        None,
        "errors/page.html",
        {
            "title": _("Try again in a moment"),
            "detail": _("A part of the shop cannot answer right now. Please try again in a minute."),
            "link": request.path if request.method in ("GET", "HEAD") else reverse("catalog:list"),
            "link_text": _("Try again") if request.method in ("GET", "HEAD") else _("Keep shopping"),
        },
        status=503,
    )
    response["Retry-After"] = "30"
    return response


def see_other(url: str) -> HttpResponse:
    """Send the browser on with a GET: every POST of a page ends here, so that a reload repeats nothing."""
    response = HttpResponse(status=303)
    response["Location"] = url
    return response


def page_before(request: HttpRequest, otherwise: str) -> str:
    """Find the path of the page that a form was on, if it can be asked for again; else give `otherwise`."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        return otherwise
    url = urlsplit(referer)
    try:
        view = getattr(resolve(url.path).func, "view_class", None)
    except Resolver404:
        return otherwise
    if not hasattr(view, "get"):
        return otherwise
    return url.path + (f"?{url.query}" if url.query else "")
