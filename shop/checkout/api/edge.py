"""What all addresses of checkouts and orders share: who asks, and that a repeated request has one effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity
from cart.types import CartRef
from shop.checkout import idempotency
from shop.checkout.errors import CheckoutUnknownError
from shop.checkout.types import Principal
from shop.core.api import ApiView, plain
from shop.core.errors import ErrorDetail
from shop.core.problems import ApiProblem

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="1 to 255 printable ASCII characters, made for this intent; a repeat has no second effect.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The entity tag that the request is based on.",
)


class CheckoutApiView(ApiView):
    """An address of somebody's own checkouts or orders."""

    vary = ("Cookie", "Cart-Session", "X-Session-Token", "Order-Token")

    def caller(self, request: Request) -> str:
        """Name whose requests are counted."""
        ref = identity.cart_ref(plain(request))
        return ref.owner if ref else ""

    def find_principal(self, request: Request) -> Principal | None:
        """Tell who asks; None for somebody without account and guest session."""
        ref = identity.cart_ref(plain(request))
        return None if ref is None else self.principal_of(request, ref)

    def principal(self, request: Request) -> Principal:
        """Tell who asks.

        :raises CheckoutUnknownError: if it is nobody known: then no checkout is theirs.
        """
        found = self.find_principal(request)
        if found is None:
            raise CheckoutUnknownError
        return found

    @staticmethod
    def principal_of(request: Request, ref: CartRef) -> Principal:
        """Name the owner of a cart as the one who asks."""
        email = request.user.email if request.user.is_authenticated else ""
        return Principal(owner=ref.owner, user_id=ref.user_id, email=email)

    def no_body(self, request: Request) -> None:
        """Take an empty body, or an empty object.

        :raises ApiProblem: `unknown_parameter` (400), if there is something in it.
        """
        if not int(request.META.get("CONTENT_LENGTH") or 0):
            return
        data = request.data
        if data != {}:
            raise ApiProblem("unknown_parameter", errors=(ErrorDetail("", "unknown_parameter"),))

    def once(
        self,
        request: Request,
        principal: Principal,
        key: str,
        data: dict[str, Any],
        effect: Callable[[], Response],
    ) -> Response:
        """Answer a request that carries a key: from the record of the first one, if there was one.

        :raises IdempotencyKeyReusedError: if the key was used for another body.
        :raises IdempotencyInProgressError: if the first one is still running.
        """

        def answer() -> idempotency.Answer:
            response = effect()
            # As a client would read it back: what is stored and what is sent are the same.
            body = json.loads(JSONRenderer().render(response.data))
            return idempotency.Answer(status=response.status_code, body=body, headers=dict(response.headers.items()))

        given = idempotency.run(
            principal=principal.owner,
            route=f"{request.method} {request.path}"[:200],
            key=key,
            fingerprint=idempotency.fingerprint(data),
            effect=answer,
        )
        headers = dict(given.headers)
        if given.was_replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(dict(given.body), status=given.status, headers=headers)
