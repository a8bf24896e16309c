"""Who calls the API: a session token of the app client, or a web session with CSRF check."""

from __future__ import annotations

from allauth.headless.internal.sessionkit import authenticate_by_x_session_token, lookup_session
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from shop.core.http import has_csrf_token
from shop.core.problems import ApiProblem

HEADER = "X-Session-Token"


class SessionTokenAuthentication(BaseAuthentication):
    """The token that `POST /api/v1/auth/app/v1/auth/login` gave, in `X-Session-Token`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, SessionBase] | None:
        """Find whose session it is; no header, no opinion.

        :raises AuthenticationFailed: if there is a token and nobody's live session behind it: to go on as a guest
            would put a signed-in customer's taps into another cart.
        """
        token = request.headers.get(HEADER)
        if token is None:
            return None
        session = lookup_session(token) if token.isascii() and token.isalnum() and len(token) <= 64 else None  # noqa: PLR2004
        found: tuple[AbstractBaseUser, SessionBase] | None = authenticate_by_x_session_token(token) if session else None
        if found is None:
            raise exceptions.AuthenticationFailed
        return found

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme: without it DRF turns 401 into 403."""
        return HEADER


class WebSessionAuthentication(SessionAuthentication):
    """The session of the shop's own pages; every change needs its CSRF token."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        """Find whose session it is; nothing is looked up for a caller who sends none."""
        if settings.SESSION_COOKIE_NAME not in request._request.COOKIES:  # noqa: SLF001 - Django's request under DRF's
            return None
        found: tuple[AbstractBaseUser, None] | None = super().authenticate(request)
        return found

    def enforce_csrf(self, request: Request) -> None:
        """Check the token.

        :raises ApiProblem: `csrf_failed` (403).
        """
        if not has_csrf_token(request._request):  # noqa: SLF001 - Django's request under DRF's
            raise ApiProblem("csrf_failed")

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme of the API: a page's session has none."""
        return HEADER
