"""Staff's way in."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib.admin.forms import AdminAuthenticationForm


class StaffSignInForm(AdminAuthenticationForm):
    """Django's form, whose wrong passwords count together with those at the shop's own doors."""

    def clean(self) -> dict[str, Any]:
        """Find who signs in.

        :raises ValidationError: if the password is wrong, too many were, or it is nobody of the staff.
        """
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password:
            self.user_cache = get_adapter().authenticate(self.request, email=email, password=password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data
