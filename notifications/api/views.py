"""The customer's preferences for programs."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from notifications import selectors, services
from notifications.api.serializers import PreferencesSchema, UpdatePreferences
from notifications.types import Topic
from shop.core import clock
from shop.core.api import ApiView
from shop.core.errors import ErrorDetail
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
        """Change what the customer wants to be told, and how; all of it or nothing."""
        customer = _customer(request)
        data = self.body(UpdatePreferences, request)
        if not data:
            raise ApiProblem("validation_failed", errors=(ErrorDetail("", "nothing_to_change"),))
        topics = {Topic(name): data[name] for name in Topic if name in data}
        if unknown := topics.keys() - set(selectors.offered_topics()):
            raise ApiProblem(
                "unknown_parameter",
                errors=tuple(ErrorDetail(f"/{topic.value}", "unknown_parameter") for topic in unknown),
            )
        services.save_wishes(
            user_id=customer.pk,
            email=customer.email,
            topics=topics,
            source="api",
            now=clock.now(),
            language=(data["language"] or "") if "language" in data else None,
            time_zone=data.get("time_zone"),
        )
        return _shown(customer)


def _customer(request: Request) -> AbstractUser:
    if not isinstance(request.user, AbstractUser):
        raise ApiProblem("unauthenticated")
    return request.user


def _shown(customer: AbstractUser) -> Response:
    wishes = selectors.find_wishes(user_id=customer.pk, email=customer.email)
    shown = {
        **{topic.value: topic in wishes.wanted for topic in wishes.offered},
        "language": wishes.language or None,
        "time_zone": wishes.time_zone or None,
    }
    return Response(shown, headers={"Cache-Control": "no-store"})
