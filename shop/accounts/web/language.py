"""The form at the foot of every page: in which of the shop's languages to read."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from shop.accounts import services
from shop.core.web.errors import stale_form
from shop.core.web.origin import is_same_origin
from shop.core.web.pages import PageView, page_before, see_other


# Public pages carry no CSRF token; this view demands a request from this host instead.
@method_decorator(csrf_exempt, name="dispatch")
class LanguageView(PageView):
    """Chooses a language: for this browser, and for the mails of whoever is signed in."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Choose, and go back to the page. A language that the shop does not speak changes nothing."""
        if not is_same_origin(request):
            return stale_form(back=reverse("catalog:list"), quantity="")
        code = request.POST.get("language", "")
        response = see_other(page_before(request, reverse("catalog:list")))
        if code in dict(settings.LANGUAGES):
            if request.user.is_authenticated:
                services.choose_language(user_id=request.user.pk, code=code)
            remember_language(request, response, code)
        return response


def remember_language(request: HttpRequest, response: HttpResponse, code: str) -> None:
    """Let this browser read in a language from here on."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
