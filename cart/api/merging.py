"""Joining another cart to the customer's, for programs that did not do so at sign-in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity, services
from cart.api import serializers
from cart.api.edge import OWN_CHECKOUT, CartApiView
from cart.api.representations import cart_json, question_json, receipt_json
from cart.conf import conf
from cart.errors import MergeSourceGoneError
from cart.types import CartRef, MergePolicy, MergeResult
from shop.core import clock
from shop.core.api import plain
from shop.core.errors import ErrorDetail
from shop.core.ids import hash_token, is_token
from shop.core.problems import ApiProblem
from shop.core.web.own import own_checkout


class MergeView(CartApiView):
    """`/cart/merge`."""

    query = frozenset[str]()

    @extend_schema(
        operation_id="merge_cart",
        tags=["cart"],
        parameters=[OWN_CHECKOUT],
        request=serializers.Merge,
        responses={200: serializers.MergedSchema},
    )
    def post(self, request: Request) -> Response:
        """Join a guest's cart, or lines that a client kept, to the customer's. Prices sent are not taken.

        With the policy `prompt` what stands in both with two quantities is left as it is, and comes back as a question.
        Its answer is a further merge with the question's id as source; `choices` say so by SKU, `policy` of the rest.
        """
        if not request.user.is_authenticated:
            raise NotAuthenticated
        data = self.body(serializers.Merge, request)
        http = plain(request)
        result = _merge(request.user.pk, data, own_checkout(http))
        answer: dict[str, Any] = {"cart": cart_json(result.cart), "receipt": receipt_json(result.receipt)}
        if question := question_json(result.cart):
            answer["question"] = question
        if result.undo:
            answer["undo"] = result.undo
        headers = {"Idempotent-Replayed": "true"} if result.was_replayed else {}
        response = Response(answer, headers=headers)
        identity.attach_session(response, http, cart=result.cart)
        return response


def _merge(user_id: int, data: dict[str, Any], owner: str | None) -> MergeResult:
    source = data["source"]
    if len(source) != 1:
        raise ApiProblem("validation_failed", errors=(ErrorDetail("/source", "one_source"),))
    policy = MergePolicy(data["policy"]) if "policy" in data else None
    if "choices" in data and "question" not in source:
        raise ApiProblem("validation_failed", errors=(ErrorDetail("/choices", "nothing_asked"),))
    now = clock.now()
    merge_id = data["merge_id"]
    if "items" in source:
        return services.merge_items(
            ref=CartRef("u", str(user_id)),
            items=[(item["sku_id"], item["quantity"]) for item in source["items"]],
            merge_id=merge_id,
            policy=policy,
            now=now,
            owner=owner,
        )
    if "question" in source:
        return services.answer_merge(
            ref=CartRef("u", str(user_id)),
            question_id=source["question"],
            policy=policy or _default_answer(),
            choices={choice["sku_id"]: MergePolicy(choice["policy"]) for choice in data.get("choices", ())},
            merge_id=merge_id,
            now=now,
            owner=owner,
        )
    token = source["cart_session"]
    if not is_token(token):
        raise MergeSourceGoneError
    return services.merge_guest_cart(
        guest_ref=CartRef("g", hash_token(token)),
        user_id=user_id,
        policy=policy,
        merge_id=merge_id,
        now=now,
        owner=owner,
    )


def _default_answer() -> MergePolicy:
    """Answer as the shop joins carts; a shop that asks keeps the larger quantity of what is left open."""
    policy = MergePolicy(conf().merge_policy)
    return MergePolicy.MAX if policy is MergePolicy.PROMPT else policy
