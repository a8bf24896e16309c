"""What shoppers defer, for staff's programs: personalization and analysis."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from cart import selectors
from cart.api import serializers
from cart.types import DeferredLine
from shop.catalog.rules import canonical_sku_id
from shop.core import clock
from shop.core.api import ApiView, plain
from shop.core.clock import isoformat
from shop.core.errors import ErrorDetail
from shop.core.http import read_whole_number
from shop.core.problems import ApiProblem
from shop.core.representations import money_json

MAX_USER = 999_999_999


class DeferredListView(ApiView):
    """`/saved-lines`."""

    query = frozenset({"sku_id", "user_id", "dropped", "limit", "cursor"})
    cache_control = "no-store"
    vary = ("Cookie", "X-Session-Token")

    @extend_schema(
        operation_id="list_deferred",
        tags=["staff"],
        parameters=[
            OpenApiParameter("sku_id", str, description="Only lines of this SKU."),
            OpenApiParameter("user_id", int, description="Only lines of this customer."),
            OpenApiParameter("dropped", int, description="1: only lines whose price fell since they were saved."),
            OpenApiParameter("limit", int, description="1 to 100, 50 if absent."),
            OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
        ],
        responses={200: serializers.DeferredListSchema},
    )
    def get(self, request: Request) -> Response:
        """List saved lines of all shoppers as last recorded, prices then and now. For staff who may see them."""
        if not request.user.is_authenticated:
            raise NotAuthenticated
        if not (request.user.is_staff and request.user.has_perm("cart.view_savedline")):
            raise PermissionDenied
        http = plain(request)
        limit = read_whole_number(http, "limit", default=50, minimum=1, maximum=100)
        user_id = read_whole_number(http, "user_id", default=-1, minimum=0, maximum=MAX_USER)
        dropped = read_whole_number(http, "dropped", default=0, minimum=0, maximum=1)
        sku_id = http.GET.get("sku_id", "")
        wanted = canonical_sku_id(sku_id) if sku_id else ""
        if wanted is None:
            raise ApiProblem("validation_failed", errors=(ErrorDetail("", "sku_invalid", {"parameter": "sku_id"}),))
        try:
            lines = selectors.list_deferred(
                now=clock.now(),
                limit=limit + 1,
                cursor=http.GET.get("cursor", ""),
                sku_id=wanted,
                user_id=None if user_id < 0 else user_id,
                has_dropped=bool(dropped),
            )
        except ValueError:
            raise ApiProblem(
                "validation_failed", errors=(ErrorDetail("", "cursor_invalid", {"parameter": "cursor"}),)
            ) from None
        shown = lines[:limit]
        return Response(
            {
                "items": [_line(line) for line in shown],
                "next_cursor": shown[-1].cursor if len(lines) > limit else None,
            }
        )


def _line(line: DeferredLine) -> dict[str, Any]:
    return {
        "user_id": line.user_id,
        "sku_id": line.sku_id,
        "quantity": line.quantity,
        "saved_at": isoformat(line.saved_at),
        "price_then": money_json(line.price_then),
        "price_now": money_json(line.price_now),
        "price_drop": money_json(line.price_drop),
    }
