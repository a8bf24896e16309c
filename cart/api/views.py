"""The cart and its lines for programs."""

from __future__ import annotations

from django.utils.translation import get_language
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity, selectors, services
from cart.api import serializers
from cart.api.edge import EXPAND, IF_MATCH, KEY, OWN_CHECKOUT, CartApiView
from cart.api.edge_cache import EdgeRequest, for_edge, read_edge_request
from cart.api.representations import EXPANSIONS, cart_json, count_json, view_json, warnings_json
from cart.errors import CartChangedError
from cart.rules import view_digest
from cart.types import CartChange, CartRef, CartWarning, LineChange
from shop.core import clock
from shop.core.api import plain
from shop.core.errors import ErrorDetail
from shop.core.http import prefers_lenient, read_expand
from shop.core.preconditions import etag, expected_version, is_unchanged, known_version
from shop.core.problems import ApiProblem
from shop.core.web.own import own_checkout

CHANGED = serializers.ChangedCartSchema
LENIENT = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`handling=lenient`: what is more than there is becomes what there is, with a warning.",
)


class CartView(CartApiView):
    """`/cart`."""

    @extend_schema(
        operation_id="get_cart",
        tags=["cart"],
        parameters=[EXPAND, OWN_CHECKOUT],
        responses={200: serializers.CartSchema},
    )
    def get(self, request: Request) -> Response:
        """Show the cart: what is in it, and what `expand` asks for. Reading makes nothing."""
        expand = read_expand(plain(request), EXPANSIONS)
        ref = identity.cart_ref(plain(request))
        asked = read_edge_request(plain(request))
        if not expand and (unchanged := _unchanged(request, ref, asked)):
            return unchanged
        if expand:
            view = selectors.view_cart(
                ref=ref,
                locale=get_language() or "",
                now=clock.now(),
                owner=own_checkout(plain(request)),
                with_saved=bool(expand & {"saved", "page"}),
            )
            cart, tag = view.cart, etag(view.cart.version, view_digest(view))
        else:
            view, cart = None, selectors.get_cart(ref=ref)
            tag = etag(cart.version)
        if cart.is_copy:
            body = view_json(view, expand) if view else cart_json(cart)
            warnings = warnings_json([CartWarning("cart_is_copy", "")])
            return Response({**body, "warnings": warnings}, headers={"Cache-Control": "no-store"})
        if is_unchanged(plain(request), tag):
            return Response(status=304, headers={"ETag": tag})
        response = Response(view_json(view, expand) if view else cart_json(cart), headers={"ETag": tag})
        return for_edge(response, plain(request), asked=asked, cart=cart)

    @extend_schema(
        operation_id="change_cart",
        tags=["cart"],
        parameters=[EXPAND, KEY, IF_MATCH, LENIENT, OWN_CHECKOUT],
        request=serializers.ChangeLines,
        responses={200: CHANGED},
    )
    def patch(self, request: Request) -> Response:
        """Set many lines at once, all or none. `replace` also removes all other lines, and needs If-Match."""
        data = self.body(serializers.ChangeLines, request)
        version = expected_version(plain(request), is_required=data["mode"] == "replace")
        operation_id = self.operation_id(request)
        changes = [
            LineChange("set", item["sku_id"], item["quantity"], f"/items/{position}/quantity")
            for position, item in enumerate(data["items"])
        ]
        return self.change(
            request,
            lambda ref: services.change_lines(
                ref=ref,
                changes=changes,
                now=clock.now(),
                mode=data["mode"],
                operation_id=operation_id,
                expected_version=version,
                is_clamping=prefers_lenient(plain(request)),
                owner=own_checkout(plain(request)),
            ),
        )

    @extend_schema(
        operation_id="empty_cart",
        tags=["cart"],
        parameters=[EXPAND, IF_MATCH],
        request=None,
        responses={200: CHANGED},
    )
    def delete(self, request: Request) -> Response:
        """Empty the cart; `undo` brings it back."""
        version = expected_version(plain(request))
        return self.change(request, lambda ref: services.empty_cart(ref=ref, expected_version=version))


def _unchanged(request: Request, ref: CartRef | None, asked: EdgeRequest | None) -> Response | None:
    """Answer 304 after reading one field, if the client holds this version of the minimal cart."""
    version = known_version(plain(request))
    if version is None or (asked and asked.version != version) or not selectors.is_version(ref=ref, version=version):
        return None
    response = Response(status=304, headers={"ETag": etag(version)})
    return for_edge(response, plain(request), asked=asked, cart=None)


class CountView(CartApiView):
    """`/cart/count`."""

    query = frozenset[str]()

    @extend_schema(operation_id="count_cart", tags=["cart"], responses={200: serializers.CountSchema})
    def get(self, request: Request) -> Response:
        """Tell how many units are in the cart."""
        ref = identity.cart_ref(plain(request))
        asked = read_edge_request(plain(request))
        if unchanged := _unchanged(request, ref, asked):
            return unchanged
        cart = selectors.get_cart(ref=ref)
        tag = etag(cart.version)
        if cart.is_copy:
            return Response(count_json(cart), headers={"Cache-Control": "no-store"})
        if is_unchanged(plain(request), tag):
            return Response(status=304, headers={"ETag": tag})
        response = Response(count_json(cart), headers={"ETag": tag})
        return for_edge(response, plain(request), asked=asked, cart=cart)


class LineListView(CartApiView):
    """`/cart/items`."""

    @extend_schema(
        operation_id="add_line",
        tags=["cart"],
        parameters=[
            EXPAND,
            OpenApiParameter(KEY.name, str, KEY.location, required=True, description=KEY.description),
            OWN_CHECKOUT,
        ],
        request=serializers.AddLine,
        responses={200: CHANGED},
    )
    def post(self, request: Request) -> Response:
        """Add units of a SKU to what is in the cart."""
        operation_id = self.operation_id(request, is_required=True)
        data = self.body(serializers.AddLine, request)
        return self.change(
            request,
            lambda ref: services.add_line(
                ref=ref,
                sku_id=data["sku_id"],
                quantity=data["quantity"],
                now=clock.now(),
                operation_id=operation_id,
                owner=own_checkout(plain(request)),
            ),
        )


class LineView(CartApiView):
    """`/cart/items/{sku_id}`."""

    makes_lines = True

    @extend_schema(
        operation_id="set_line",
        tags=["cart"],
        parameters=[EXPAND, KEY, IF_MATCH, OWN_CHECKOUT],
        request=serializers.SetQuantity,
        responses={200: CHANGED, 201: CHANGED},
    )
    def put(self, request: Request, sku_id: str) -> Response:
        """Set a line to a quantity; 0 removes it. 201 if the line is new."""
        data = self.body(serializers.SetQuantity, request)
        version = expected_version(plain(request))
        operation_id = self.operation_id(request)
        return self.change(
            request,
            lambda ref: services.set_quantity(
                ref=ref,
                sku_id=sku_id,
                quantity=data["quantity"],
                now=clock.now(),
                operation_id=operation_id,
                expected_version=version,
                owner=own_checkout(plain(request)),
            ),
        )

    @extend_schema(
        operation_id="remove_line",
        tags=["cart"],
        parameters=[EXPAND, IF_MATCH],
        request=None,
        responses={200: CHANGED},
    )
    def delete(self, request: Request, sku_id: str) -> Response:
        """Remove a line; success also where there is none. `undo` brings it back."""
        version = expected_version(plain(request))
        return self.change(
            request,
            lambda ref: services.remove_line(ref=ref, sku_id=sku_id, now=clock.now(), expected_version=version),
        )


class UndoView(CartApiView):
    """`/cart/undo`."""

    @extend_schema(
        operation_id="undo",
        tags=["cart"],
        parameters=[EXPAND],
        request=serializers.Undo,
        responses={200: CHANGED},
    )
    def post(self, request: Request) -> Response:
        """Bring back what a change took away."""
        data = self.body(serializers.Undo, request)
        return self.change(request, lambda ref: services.undo(ref=ref, undo=data["undo"]))


class AcknowledgeView(CartApiView):
    """`/cart/notices/ack`."""

    @extend_schema(
        operation_id="acknowledge_notices",
        tags=["cart"],
        parameters=[EXPAND],
        request=serializers.Acknowledge,
        responses={200: CHANGED},
    )
    def post(self, request: Request) -> Response:
        """Remember that the shopper has seen these notices. A line that is no longer sold goes with its notice."""
        data = self.body(serializers.Acknowledge, request)
        if len(data) != 1:
            raise ApiProblem("validation_failed", errors=(ErrorDetail("", "ids_or_version"),))

        def apply(ref: CartRef) -> CartChange:
            notice_ids = data.get("notice_ids")
            if notice_ids is None:
                notice_ids = _notice_ids(ref, data["up_to_version"])
            return services.acknowledge(ref=ref, notice_ids=notice_ids)

        return self.change(request, apply)


def _notice_ids(ref: CartRef, up_to_version: int) -> list[str]:
    """List the notices that stand now, for a client that saw this version of the cart.

    :raises CartChangedError: if the cart changed since: there may be notices that nobody has seen.
    """
    view = selectors.view_cart(ref=ref, locale="", now=clock.now())
    if view.cart.version > up_to_version:
        raise CartChangedError(view.cart.version)
    return [notice.notice_id for notice in view.notices]
