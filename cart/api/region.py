"""The region of the cart for programs."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import services
from cart.api import serializers
from cart.api.edge import EXPAND, CartApiView


class RegionView(CartApiView):
    """`/cart/region`."""

    limited = {"PUT": "cart_writes"}

    @extend_schema(
        operation_id="choose_region",
        tags=["cart"],
        parameters=[EXPAND],
        request=serializers.ChooseRegion,
        responses={200: serializers.ChangedCartSchema},
    )
    def put(self, request: Request) -> Response:
        """Buy the cart in another region, in its currency. An open checkout asks anew before anything is charged."""
        data = self.body(serializers.ChooseRegion, request)
        return self.change(request, lambda ref: services.choose_region(ref=ref, code=data["region"]))
