"""What the cart's views share: reading the form, making the change, answering with a page, a fragment or a redirect."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language, to_locale

from cart import identity, selectors
from cart.conf import conf
from cart.types import CartChange, CartRef
from cart.web.drawing import draw_change, draw_page
from cart.web.flash import Did, pack
from cart.web.present import CartPage, Row, cart_page, unpriced_page, with_did, with_row
from cart.web.words import did_words
from pricing import regions
from shop.catalog import selectors as catalog
from shop.catalog.rules import canonical_sku_id
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.templatetags.trolley import dom_id
from shop.core.web.own import own_checkout
from shop.core.web.pages import NO_STORE, PRIVATE, PageView, status_of, with_retry_after
from shop.core.words import detail_words, words

_QUANTITY = re.compile(r"[0-9]{1,9}", re.ASCII)


class CartPageView(PageView):
    """A page of the cart: the browser keeps it for Back, and asks before it shows it again."""

    cache_control = PRIVATE


def is_htmx(request: HttpRequest) -> bool:
    """Tell whether the cart page's script asks for a fragment. Only answers to POSTs are fragments."""
    return request.method == "POST" and request.headers.get("HX-Request") == "true"


def read_quantity(request: HttpRequest) -> int | None:
    """Read the quantity that was typed: a whole number in plain digits, else None."""
    text = request.POST.get("quantity", "").strip()
    return int(text) if _QUANTITY.fullmatch(text) else None


def read_number(request: HttpRequest, name: str) -> int | None:
    """Read a number that the page itself put into the form, such as the version that it was drawn from."""
    text = request.POST.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,17}", text, re.ASCII) else None


def read_sku_id(text: str) -> str:
    """Bring a SKU id into its one form; what cannot be one stays as it is, and is found nowhere."""
    return canonical_sku_id(text) or text


def change(request: HttpRequest, write: Callable[[CartRef], CartChange]) -> identity.Performed[CartChange]:
    """Make a change to the cart of whoever asks; it is counted as one through the API is.

    :raises TooOftenError: if they change it too often.
    :raises Refusal: what `write` raises.
    """
    identity.require_pace(request)
    return identity.perform(request, write)


def finish(response: HttpResponse, request: HttpRequest, performed: identity.Performed[CartChange]) -> HttpResponse:
    """Tell the browser what a change did to its cart: a new session, the number for the badge, the version."""
    identity.attach_session(response, request, new_token=performed.new_token, cart=performed.result.cart)
    return response


def read_page(request: HttpRequest, ref: CartRef | None) -> CartPage:
    """Read the cart as its page: lines, saved list, prices, cards and stock of this moment.

    While PostgreSQL is away, a cart that Redis holds is shown without them.
    """
    try:
        return _read_priced(request, ref)
    except (OperationalError, InterfaceError):
        cart, saved = selectors.get_cart_and_saved(ref=ref)
        return unpriced_page(cart, saved, reserve_seconds=settings.INVENTORY.soft_ttl_seconds)


def _read_priced(request: HttpRequest, ref: CartRef | None) -> CartPage:
    locale = to_locale(get_language() or "en-gb")
    view = selectors.view_cart(ref=ref, locale=locale, now=clock.now(), owner=own_checkout(request), with_saved=True)
    identity.correct_shown(request, view.cart)
    regions.follow(request, view.cart.region)
    shown = {line.sku_id for line in (*view.lines, *view.saved)}
    # Only a receipt names SKUs that are in neither list.
    others = [line.sku_id for line in view.cart.receipt if line.sku_id not in shown]
    cards = catalog.list_cards(sku_ids=others) if others else {}
    return cart_page(view, conf=conf(), reserve_seconds=settings.INVENTORY.soft_ttl_seconds, receipt_cards=cards)


def title_of(sku_id: str) -> str:
    """Name a SKU that may not be in the cart any more; by its id while nobody can tell."""
    try:
        card = catalog.list_cards(sku_ids=[sku_id]).get(sku_id)
    except (OperationalError, InterfaceError):
        card = None
    return card.title if card else sku_id


def done_url(did: Did) -> str:
    """Give the address of the cart that says what was done, at the row where it was done."""
    url = reverse("cart:cart") + "?" + urlencode({"did": pack(did)})
    return f"{url}#line-{dom_id(did.sku_id)}" if did.kind in ("set", "clamped") else url


def render_cart(request: HttpRequest, page: CartPage, *, status: int = 200, is_error: bool = False) -> HttpResponse:
    """Render the whole page."""
    response = HttpResponse(draw_page(request, page, is_error=is_error), status=status)
    if status != 200:  # noqa: PLR2004 - an answer to a POST is nothing to go Back to
        response["Cache-Control"] = NO_STORE
    return response


def render_fragment(
    request: HttpRequest,
    page: CartPage,
    *,
    did: Did | None = None,
    row: Row | None = None,
    with_saved: bool = False,
    is_whole: bool = False,
    status: int = 200,
) -> HttpResponse:
    """Answer the cart page's script: the row of the change, or the Undo row in its place, else the whole cart.

    Around a row go the parts that depend on it, to be swapped out of band, and always the sentence for the status line.
    """
    shown = with_did(page, did)
    entry = row or next((entry for entry in shown.entries if entry.is_gone), None)
    if is_whole or not page.rows:
        entry = None
    # The whole cart is one swap: its parts then carry no marks of their own.
    shown = replace(page, is_fragment=True) if entry else shown
    live = page.refused or (did_words(did, units=page.units, total=page.total) if did else "")
    response = HttpResponse(draw_change(request, shown, entry, with_saved=with_saved, live=live), status=status)
    response["Cart-Version"] = str(page.version)
    response["Cache-Control"] = NO_STORE
    if entry is None:
        response["HX-Retarget"] = "#cart"
        response["HX-Reswap"] = "outerHTML"
    return response


def refuse(request: HttpRequest, refusal: Refusal, *, sku_id: str = "") -> HttpResponse:
    """Show the cart as it is with what was refused: at the row's field if that is what was wrong, else on top."""
    page = read_page(request, identity.cart_ref(request))
    status = status_of(refusal)
    sentence = detail_words(refusal.errors[0]) if refusal.errors else words(refusal).detail
    row = page.row(sku_id)
    typed = request.POST.get("quantity", "")[:6]
    if row is not None and status == 422 and "quantity" in request.POST:  # noqa: PLR2004 - the field was wrong
        changed = replace(row, typed=typed, error=sentence)
        if is_htmx(request):
            return render_fragment(request, page, row=changed, status=status)
        return render_cart(request, with_row(page, changed), status=status, is_error=True)
    page = replace(page, refused=sentence)
    if is_htmx(request):
        return with_retry_after(render_fragment(request, page, status=status), refusal)
    return with_retry_after(render_cart(request, page, status=status, is_error=True), refusal)
