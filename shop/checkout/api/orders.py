"""Orders for programs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from shop.checkout import selectors
from shop.checkout.api import serializers
from shop.checkout.api.edge import CheckoutApiView
from shop.checkout.api.representations import order_json, orders_json
from shop.core.api import plain
from shop.core.http import read_whole_number
from shop.core.preconditions import is_unchanged

DEFAULT_LIMIT = 20


def _tagged(request: Request, data: dict[str, Any]) -> Response:
    tag = f'"{hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:20]}"'
    if is_unchanged(plain(request), tag):
        return Response(status=304, headers={"ETag": tag})
    return Response(data, headers={"ETag": tag})


class OrderListView(CheckoutApiView):
    """`/orders`."""

    query = frozenset({"limit", "cursor"})

    @extend_schema(
        operation_id="list_orders",
        tags=["orders"],
        parameters=[
            OpenApiParameter("limit", int, description=f"1 to 100, default {DEFAULT_LIMIT}."),
            OpenApiParameter("cursor", str, description="`next_cursor` of the slice before."),
        ],
        responses={200: serializers.OrderListSchema},
    )
    def get(self, request: Request) -> Response:
        """List the caller's orders, newest first."""
        limit = read_whole_number(plain(request), "limit", default=DEFAULT_LIMIT, minimum=1, maximum=100)
        principal = self.find_principal(request)
        if principal is None:
            return _tagged(request, {"items": [], "next_cursor": None})
        found = selectors.list_orders(principal=principal, limit=limit, cursor=request.GET.get("cursor", ""))
        return _tagged(request, orders_json(found))


class OrderDetailView(CheckoutApiView):
    """`/orders/{number}`."""

    @extend_schema(
        operation_id="get_order",
        tags=["orders"],
        parameters=[
            OpenApiParameter(
                "Order-Token",
                str,
                OpenApiParameter.HEADER,
                description="The secret from the order's mail, instead of a session.",
            ),
        ],
        responses={200: serializers.OrderSchema},
    )
    def get(self, request: Request, number: str) -> Response:
        """Show one order to its buyer."""
        order = selectors.get_order(
            number=number,
            principal=self.find_principal(request),
            token=request.headers.get("Order-Token"),
        )
        return _tagged(request, order_json(order))
