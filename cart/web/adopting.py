"""Takes over a cart that a guest's browser kept, at sign-in or before checkout."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from cart import identity, services
from cart.conf import conf
from cart.types import CartRef, MergeOutcome, MergePolicy
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.web.origin import is_same_origin
from shop.core.web.own import own_checkout
from shop.core.web.pages import PageView, status_of, with_retry_after
from shop.core.words import detail_words, words

_ID_LENGTH = 64


@method_decorator(csrf_exempt, name="dispatch")
class AdoptView(PageView):
    """Called by the script of any page, so that it demands a request from this host instead of a CSRF token."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Join the lines sent, once for each `merge_id`; what came of it stands on the cart as a receipt."""
        if not is_same_origin(request):
            return JsonResponse({"message": _("This form is from another page.")}, status=403)
        items, saved = _pairs(request.POST.get("items", "")), _pairs(request.POST.get("saved", "[]"))
        merge_id = request.POST.get("merge_id", "")
        if items is None or saved is None or not 0 < len(merge_id) <= _ID_LENGTH:
            return JsonResponse({"message": _("This is no cart.")}, status=422)
        try:
            identity.require_pace(request)
            done = identity.perform(
                request,
                lambda ref: services.merge_items(
                    ref=ref,
                    items=items,
                    saved=saved,
                    merge_id=merge_id,
                    policy=_policy(ref),
                    now=clock.now(),
                    owner=own_checkout(request),
                ),
            )
        except Refusal as refusal:
            sentence = detail_words(refusal.errors[0]) if refusal.errors else words(refusal).detail
            return with_retry_after(JsonResponse({"message": sentence}, status=status_of(refusal)), refusal)
        result = done.result
        is_changed = any(line.outcome is not MergeOutcome.ADDED for line in result.receipt)
        response = JsonResponse({"changed": is_changed})
        identity.attach_session(response, request, new_token=done.new_token, cart=result.cart)
        return response


def _policy(ref: CartRef) -> MergePolicy:
    """Join by the shop's policy; a guest, who has no account to keep apart, is not asked."""
    policy = MergePolicy(conf().merge_policy)
    return MergePolicy.MAX if ref.kind == "g" and policy is MergePolicy.PROMPT else policy


def _pairs(text: str) -> list[tuple[str, int]] | None:
    """Read lines as the browser keeps them; their prices mean nothing here. None if it is something else."""
    try:
        lines: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(lines, list):
        return None
    pairs = []
    for line in lines:
        if not isinstance(line, dict):
            return None
        sku_id, quantity = line.get("sku_id"), line.get("quantity")
        if not isinstance(sku_id, str) or type(quantity) is not int:
            return None
        pairs.append((sku_id, quantity))
    return pairs
