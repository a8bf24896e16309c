"""What our account pages do beyond allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.views import LogoutView
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from shop.core.web.own import forget_own


class SignOutView(LogoutView):  # type: ignore[misc]  # allauth ships no types
    """Signs out by POST alone, and lets the browser drop what it keeps of personal pages, so that Back shows none."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - Django's
        """Answer as allauth does, and clear the browser's cache once signed out."""
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        if request.method == "POST":
            response["Clear-Site-Data"] = '"cache"'
            forget_own(response)
        return response
