"""Discount codes of the cart for programs."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import services
from cart.api import serializers
from cart.api.edge import EXPAND, CartApiView
from shop.core import clock


class CodeView(CartApiView):
    """`/cart/codes/{code}`."""

    limited = {"PUT": "codes", "DELETE": "cart_writes"}

    @extend_schema(
        operation_id="apply_code",
        tags=["cart"],
        parameters=[EXPAND],
        request=None,
        responses={200: serializers.ChangedCartSchema},
    )
    def put(self, request: Request, code: str) -> Response:
        """Enter a discount code; entering it again changes nothing. Its uses are claimed when the payment starts."""
        return self.change(request, lambda ref: services.apply_code(ref=ref, code=code, now=clock.now()))

    @extend_schema(
        operation_id="remove_code",
        tags=["cart"],
        parameters=[EXPAND],
        request=None,
        responses={200: serializers.ChangedCartSchema},
    )
    def delete(self, request: Request, code: str) -> Response:
        """Take a discount code out, named whole or as it is shown; success also where it is not in the cart."""
        return self.change(request, lambda ref: services.remove_code(ref=ref, code=code))
