"""Orders for programs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity
from shop.checkout import selectors, services
from shop.checkout.api import serializers
from shop.checkout.api.edge import IDEMPOTENCY_KEY, CheckoutApiView
from shop.checkout.api.representations import order_json, orders_json, reorder_json
from shop.checkout.types import OrderView, Principal
from shop.core import clock
from shop.core.api import plain
from shop.core.http import read_whole_number
from shop.core.preconditions import is_unchanged

DEFAULT_LIMIT = 20
ORDER_TOKEN = OpenApiParameter(
    "Order-Token",
    str,
    OpenApiParameter.HEADER,
    description="The secret from the order's mail, instead of a session.",
)


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
        parameters=[ORDER_TOKEN],
        responses={200: serializers.OrderSchema},
    )
    def get(self, request: Request, number: str) -> Response:
        """Show one order to its buyer."""
        return _tagged(request, order_json(_order(self, request, number)))


class ReorderView(CheckoutApiView):
    """`/orders/{number}/reorders`."""

    limited = {"POST": "cart_writes"}

    @extend_schema(
        operation_id="reorder",
        tags=["orders"],
        parameters=[IDEMPOTENCY_KEY, ORDER_TOKEN],
        request=None,
        responses={200: serializers.ReorderSchema},
    )
    def post(self, request: Request, number: str) -> Response:
        """Put the lines of an order into the caller's cart, as many as are there, at today's prices."""
        key = self.key(request, is_required=True)
        self.no_body(request)
        order = _order(self, request, number)
        principal = self.find_principal(request)
        if principal is None:  # whoever has no cart gets a new one with each request: nothing is added twice
            return _reorder(request, order, key)
        return self.once(request, principal, key, {}, lambda: _reorder(request, order, key))


def _order(view: CheckoutApiView, request: Request, number: str) -> OrderView:
    principal: Principal | None = view.find_principal(request)
    return selectors.get_order(number=number, principal=principal, token=request.headers.get("Order-Token"))


def _reorder(request: Request, order: OrderView, key: str) -> Response:
    operation_id = hashlib.sha256(f"{request.path} {key}".encode()).hexdigest()[:40]
    done = identity.perform(
        plain(request),
        lambda ref: services.reorder(order=order, ref=ref, operation_id=operation_id, now=clock.now()),
    )
    receipt, change = done.result
    response = Response(reorder_json(receipt, change.cart))
    identity.attach_session(response, plain(request), cart=change.cart, new_token=done.new_token)
    return response
