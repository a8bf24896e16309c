"""Where payment providers report: the one address that takes no JSON of ours and asks for no origin."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from shop.checkout import services
from shop.core import clock
from shop.core.api import ApiView, plain
from shop.core.parsers import MAX_BYTES
from shop.core.problems import ApiProblem


class WebhookView(ApiView):
    """`/webhooks/{provider}`."""

    authentication_classes = ()
    is_raw = True
    needs_origin = False

    @extend_schema(exclude=True)
    def post(self, request: Request, provider: str) -> Response:
        """Store a signed event; 200 once it is stored, whatever it says."""
        http = plain(request)
        body = http.body
        if len(body) > MAX_BYTES:
            raise ApiProblem("body_too_large")
        services.receive_webhook(provider=provider, body=body, headers=http.headers, now=clock.now())
        return Response({"received": True})
