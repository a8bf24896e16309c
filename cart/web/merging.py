"""The question of the policy `prompt`: two carts had the same items with different quantities."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cart import identity, selectors, services
from cart.errors import MergeQuestionGoneError
from cart.rules import ANSWERS
from cart.types import MergeAnswer, MergePolicy
from cart.web.base import CartPageView
from shop.core import clock
from shop.core.money import Money
from shop.core.web.own import own_checkout
from shop.core.web.pages import NO_STORE, see_other

_QUESTION_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to answer, as it stands on the page."""

    policy: str
    title: str
    detail: str
    total: Money
    is_chosen: bool


class MergeView(CartPageView):
    """Both quantities side by side, three ways to join them, and “Decide later”."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask; without a question, lead to the cart."""
        return _ask(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Join by the policy chosen; the cart shows the receipt, with Undo."""
        chosen = request.POST.get("policy", "")
        if chosen not in ANSWERS:
            return _ask(request, error=_("Choose which quantities to keep."), status=422)
        question_id = request.POST.get("question", "")[:_QUESTION_LENGTH]
        try:
            done = identity.perform(
                request,
                lambda ref: services.answer_merge(
                    ref=ref,
                    question_id=question_id,
                    policy=MergePolicy(chosen),
                    now=clock.now(),
                    owner=own_checkout(request),
                ),
            )
        except MergeQuestionGoneError:
            # Answered in another tab, or a further sign-in has added to it.
            sentence = _("More was added since this page was opened. Please choose again.")
            return _ask(request, error=sentence, chosen=chosen, status=409)
        response = see_other(reverse("cart:cart"))
        identity.attach_session(response, request, new_token=done.new_token, cart=done.result.cart)
        return response


def _ask(
    request: HttpRequest, *, error: str = "", chosen: str = MergePolicy.MAX.value, status: int = 200
) -> HttpResponse:
    cart = selectors.get_cart(ref=identity.cart_ref(request))
    now = clock.now()
    own = own_checkout(request)
    pending = selectors.pending_merge(cart=cart, now=now, owner=own)
    if pending is None:
        return see_other(reverse("cart:cart"))
    answers = selectors.list_merge_answers(cart=cart, now=now, owner=own)
    context = {
        "pending": pending,
        "choices": [_choice(answer, chosen) for answer in answers],
        "error": error,
        "is_error": bool(error),
        "units": cart.units,
    }
    response = render(request, "cart/merge.html", context, status=status)
    if error:
        response["Cache-Control"] = NO_STORE
    return response


def _choice(answer: MergeAnswer, chosen: str) -> Choice:
    titles = {
        MergePolicy.MAX: _("Keep the larger quantities"),
        MergePolicy.SUM: _("Add the quantities together"),
        MergePolicy.KEEP_SAVED: _("Keep your account's quantities"),
    }
    cart = ngettext("Cart: %(count)d item.", "Cart: %(count)d items.", answer.units) % {"count": answer.units}
    return Choice(answer.policy.value, titles[answer.policy], cart, answer.total, answer.policy.value == chosen)
