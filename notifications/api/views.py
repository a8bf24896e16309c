"""The customer's preferences for programs."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from notifications import selectors, services
from notifications.api.serializers import PreferencesSchema, UpdatePreferences
from shop.core import clock
from shop.core.api import ApiView
from shop.core.problems import ApiProblem


class PreferencesView(ApiView):
    """`/me/preferences`."""

    cache_control = "no-store"

    @extend_schema(operation_id="get_preferences", tags=["preferences"], responses={200: PreferencesSchema})
    def get(self, request: Request) -> Response:
        """Tell what the customer wants to be told."""
        return _shown(_customer(request))

    @extend_schema(
        operation_id="update_preferences",
        tags=["preferences"],
        request=UpdatePreferences,
        responses={200: PreferencesSchema},
    )
    def patch(self, request: Request) -> Response:
        """Turn reminders on or off."""
        customer = _customer(request)
        data = self.body(UpdatePreferences, request)
        services.set_preference(
            user_id=customer.pk,
            email=customer.email,
            is_granted=data["cart_reminder"],
            source="api",
            now=clock.now(),
        )
        return _shown(customer)


def _customer(request: Request) -> AbstractUser:
    if not isinstance(request.user, AbstractUser):
        raise ApiProblem("unauthenticated")
    return request.user


def _shown(customer: AbstractUser) -> Response:
    wants = selectors.wants_reminders(user_id=customer.pk, email=customer.email)
    return Response({"cart_reminder": wants}, headers={"Cache-Control": "no-store"})
