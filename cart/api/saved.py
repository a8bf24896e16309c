"""The saved list for programs, and moves between it and the cart."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity, selectors, services
from cart.api import serializers
from cart.api.edge import EXPAND, IF_MATCH, KEY, OWN_CHECKOUT, CartApiView
from cart.api.representations import EXPANSIONS, saved_json, warnings_json
from cart.rules import view_digest
from cart.types import CartChange, CartWarning, LineChange
from shop.core import clock
from shop.core.api import plain
from shop.core.http import read_expand
from shop.core.preconditions import etag, expected_version, is_unchanged
from shop.core.web.own import own_checkout


class SavedListView(CartApiView):
    """`/saved-items`."""

    @extend_schema(
        operation_id="list_saved",
        tags=["saved list"],
        parameters=[EXPAND, OWN_CHECKOUT],
        responses={200: serializers.SavedListSchema},
    )
    def get(self, request: Request) -> Response:
        """Show the saved list, with what `expand` asks for of each line."""
        expand = read_expand(plain(request), EXPANSIONS)
        view = selectors.view_cart(
            ref=identity.cart_ref(plain(request)),
            locale=get_language() or "",
            now=clock.now(),
            owner=own_checkout(plain(request)),
            with_saved=True,
        )
        if view.cart.is_copy:
            warnings = warnings_json([CartWarning("cart_is_copy", "")])
            body = {**saved_json(view, expand), "warnings": warnings}
            return Response(body, headers={"Cache-Control": "no-store"})
        tag = etag(view.cart.version, view_digest(view))
        if is_unchanged(plain(request), tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(saved_json(view, expand), headers={"ETag": tag})


class SavedLineView(CartApiView):
    """`/saved-items/{sku_id}`."""

    @extend_schema(
        operation_id="save_line",
        tags=["saved list"],
        parameters=[EXPAND, KEY],
        request=serializers.SaveQuantity,
        responses={200: serializers.ChangedCartSchema},
    )
    def put(self, request: Request, sku_id: str) -> Response:
        """Set a line of the saved list to a quantity; 0 removes it. The cart itself is not touched."""
        data = self.body(serializers.SaveQuantity, request)
        operation_id = self.operation_id(request)
        return self.change(
            request,
            lambda ref: services.set_saved_quantity(
                ref=ref,
                sku_id=sku_id,
                quantity=data["quantity"],
                now=clock.now(),
                operation_id=operation_id,
            ),
        )

    @extend_schema(
        operation_id="remove_saved",
        tags=["saved list"],
        parameters=[EXPAND],
        request=None,
        responses={200: serializers.ChangedCartSchema},
    )
    def delete(self, request: Request, sku_id: str) -> Response:
        """Remove a line of the saved list; success also where there is none."""
        return self.change(
            request,
            lambda ref: services.remove_saved(ref=ref, sku_id=sku_id, now=clock.now()),
        )


class MoveListView(CartApiView):
    """`/cart/moves`."""

    @extend_schema(
        operation_id="move_lines",
        tags=["saved list"],
        parameters=[EXPAND, KEY, IF_MATCH, OWN_CHECKOUT],
        request=serializers.Moves,
        responses={200: serializers.MovedSchema},
    )
    def post(self, request: Request) -> Response:
        """Move lines between cart and saved list, all or none."""
        data = self.body(serializers.Moves, request)
        version = expected_version(plain(request))
        operation_id = self.operation_id(request)
        changes = [
            LineChange(
                "save" if move["to"] == "saved" else "unsave",
                move["sku_id"],
                move.get("quantity", 0),
                f"/moves/{position}/sku_id",
            )
            for position, move in enumerate(data["moves"])
        ]
        return self.change(
            request,
            lambda ref: services.change_lines(
                ref=ref,
                changes=changes,
                now=clock.now(),
                operation_id=operation_id,
                expected_version=version,
                owner=own_checkout(plain(request)),
            ),
            body=_moved,
        )


def _moved(change: CartChange, cart: dict[str, Any]) -> dict[str, Any]:
    return {"cart": cart, "saved_count": change.cart.saved_count}
