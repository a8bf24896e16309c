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
from notifications.links import Purpose
from notifications.models import Message
from notifications.types import Scope, Topic
from notifications.web.base import LinkPageView, told
from shop.core import clock
from shop.core.web.pages import PageView, see_other

ONE_CLICK = "One-Click"


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribeView(LinkPageView):
    """One button. A mail program presses it without cookie or CSRF token; the link itself is the secret."""

    purpose = Purpose.UNSUBSCRIBE

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the button: scanners follow links, so a GET changes nothing."""
        return _unsubscribing(request, self.by_token(request, token), "ask")

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Suppress the address, or take that back within the hour. Twice is as good as once."""
        message = self.by_token(request, token)
        if undo := request.POST.get("undo", ""):
            is_undone = services.undo_unsubscribe(message=message, undo=undo)
            return _unsubscribing(request, message, "undone" if is_undone else "too_late")
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
        return _unsubscribing(request, message, "done", undo=token_of_undo)


def _unsubscribing(request: HttpRequest, message: Message, step: str, *, undo: str = "") -> HttpResponse:
    context = {"step": step, "undo": undo, "is_of_saved": services.scope_of(message) is Scope.SAVED_NEWS}
    return render(request, "notifications/unsubscribe.html", context)


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
    """Preferences for whoever has the mail: its kind can be turned off here, on again only by the customer."""

    purpose = Purpose.PREFERENCES
    cookie = "mail_preferences"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what this address gets."""
        message = self.by_cookie(request)
        if message is None:
            return see_other(reverse("notifications:preferences"))
        scope = services.scope_of(message)
        is_on = not selectors.is_suppressed(hashes=[message.recipient_hash], scope=scope)
        context = {"is_on": is_on, "is_by_link": True, "is_of_saved": scope is Scope.SAVED_NEWS}
        return render(request, "notifications/preferences.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Turn mails of this kind off for this address."""
        message = self.by_cookie(request)
        if message is None:
            return see_other(reverse("notifications:preferences"))
        if not request.POST.get(services.scope_of(message).value):
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
        wishes = selectors.find_wishes(user_id=user.pk, email=user.email)
        context = {
            "is_on": Topic.CART_REMINDER in wishes.wanted,
            "is_saved": "saved" in request.GET,
            "is_by_link": False,
            "saved_news": [
                (topic.value, label, topic in wishes.wanted)
                for topic, label in (
                    (Topic.PRICE_DROP, _("Tell me by mail when something that I saved for later costs less")),
                    (Topic.BACK_IN_STOCK, _("Tell me by mail when something that I saved for later is back in stock")),
                )
            ],
            "languages": settings.LANGUAGES if len(settings.LANGUAGES) > 1 else (),
            "chosen": wishes.language,
            "may_count_opens": Topic.OPEN_TRACKING in wishes.offered,
            "counts_opens": Topic.OPEN_TRACKING in wishes.wanted,
            "time_zone": wishes.time_zone,
        }
        return render(request, "notifications/preferences.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save it."""
        user = _signed_in(request)
        code = request.POST.get("language")
        services.save_wishes(
            user_id=user.pk,
            email=user.email,
            topics={topic: bool(request.POST.get(topic.value)) for topic in selectors.offered_topics()},
            source="preferences page",
            now=clock.now(),
            language=code if code in {"", *dict(settings.LANGUAGES)} else None,
        )
        return see_other(request.path + "?saved=1")
