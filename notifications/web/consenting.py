"""Unsubscribing, by button or by one click of a mail program (RFC 8058), and the customer's preferences."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AbstractUser as User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from notifications import selectors, services
from notifications.conf import conf
from notifications.links import Purpose
from notifications.web.base import LinkPageView, told
from shop.accounts.services import choose_language
from shop.core import clock
from shop.core.web.pages import PageView, see_other

ONE_CLICK = "One-Click"


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribeView(LinkPageView):
    """One button. A mail program presses it without cookie or CSRF token; the link itself is the secret."""

    purpose = Purpose.UNSUBSCRIBE

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the button: scanners follow links, so a GET changes nothing."""
        self.by_token(request, token)
        return render(request, "notifications/unsubscribe.html", {"step": "ask"})

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Suppress the address, or take that back within the hour. Twice is as good as once."""
        message = self.by_token(request, token)
        if undo := request.POST.get("undo", ""):
            is_undone = services.undo_unsubscribe(message=message, undo=undo)
            return render(request, "notifications/unsubscribe.html", {"step": "undone" if is_undone else "too_late"})
        if request.POST.get("List-Unsubscribe") != ONE_CLICK:
            return told(
                request,
                title=_("Nothing was changed"),
                detail=_("Please open the link again and press the button."),
                status=400,
                link=request.path,
                text=_("Open again"),
            )
        token_of_undo = services.unsubscribe(message=message, now=clock.now())
        return render(request, "notifications/unsubscribe.html", {"step": "done", "undo": token_of_undo})


class PreferencesLinkView(LinkPageView):
    """The link of a mail to the preferences: exchanged at once for the clean address."""

    purpose = Purpose.PREFERENCES
    cookie = "mail_preferences"
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Send the browser on; who is signed in has a page that can do more."""
        message = self.by_token(request, token)
        if request.user.is_authenticated:
            return see_other(reverse("notifications:preferences"))
        return self.exchange(request, message, reverse("notifications:link_preferences"))


class LinkPreferencesView(LinkPageView):
    """Preferences for whoever has the mail: reminders can be turned off here, on again only by the customer."""

    purpose = Purpose.PREFERENCES
    cookie = "mail_preferences"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what this address gets."""
        message = self.by_cookie(request)
        if message is None:
            return see_other(reverse("notifications:preferences"))
        is_on = not selectors.is_suppressed(hashes=[message.recipient_hash])
        return render(request, "notifications/preferences.html", {"is_on": is_on, "is_by_link": True})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Turn reminders off for this address."""
        message = self.by_cookie(request)
        if message is None:
            return see_other(reverse("notifications:preferences"))
        if not request.POST.get("cart_reminder"):
            services.unsubscribe(message=message, now=clock.now())
        return see_other(request.path)


def _signed_in(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


class PreferencesView(LoginRequiredMixin, PageView):
    """What a customer wants to be told."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        user = _signed_in(request)
        is_on = selectors.wants_reminders(user_id=user.pk, email=user.email)
        context = {
            "is_on": is_on,
            "is_saved": "saved" in request.GET,
            "is_by_link": False,
            "languages": settings.LANGUAGES if len(settings.LANGUAGES) > 1 else (),
            "chosen": getattr(user, "language", ""),
            "may_count_opens": conf().count_opens,
            "counts_opens": conf().count_opens and selectors.allows_opens(user_id=user.pk),
            "time_zone": getattr(user, "time_zone", ""),
        }
        return render(request, "notifications/preferences.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save it."""
        user = _signed_in(request)
        services.set_preference(
            user_id=user.pk,
            email=user.email,
            is_granted=bool(request.POST.get("cart_reminder")),
            source="preferences page",
            now=clock.now(),
        )
        wants_opens = bool(request.POST.get("open_tracking"))
        if conf().count_opens and wants_opens is not selectors.allows_opens(user_id=user.pk):
            services.allow_opens(user_id=user.pk, is_granted=wants_opens, source="preferences page", now=clock.now())
        code = request.POST.get("language")
        if code is not None and code in {"", *dict(settings.LANGUAGES)}:
            choose_language(user_id=user.pk, code=code)
        return see_other(request.path + "?saved=1")
