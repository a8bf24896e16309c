"""The box on the page (and in the API) where an account is made: whether its customer wants to be reminded."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from notifications import services
from notifications.conf import conf
from shop.core import clock


class SignupForm(forms.Form):
    """What allauth adds to its own form. The box is never ticked beforehand, and only there where a yes is needed."""

    field_order = ("email", "password1", "reminders")
    reminders = forms.BooleanField(required=False, label=_("Remind me by email of what I leave in my cart"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(*args, **kwargs)
        if not conf().asks_for_consent:
            del self.fields["reminders"]

    def signup(self, request: HttpRequest, user: Any) -> None:  # noqa: ANN401 - allauth's signature
        """Keep a yes."""
        if self.cleaned_data.get("reminders"):
            services.note_consent(user_id=user.pk, source="sign-up", now=clock.now())
