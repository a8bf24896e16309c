"""Product list and product page: public, the same bytes for everybody, cacheable at the edge."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from inventory import selectors as inventory
from pricing import regions
from pricing import selectors as pricing
from shop.catalog import pictures
from shop.catalog import selectors as catalog
from shop.catalog.web.present import choose, list_card, sku_choice
from shop.core import clock
from shop.core.web.pages import PUBLIC, PageView

QUERY_LIMIT = 100
IMMUTABLE = "public, max-age=31536000, immutable"


def _list_url(*, query: str = "", category: str = "", page: int = 1) -> str:
    asked = {"q": query, "category": category, "page": page if page > 1 else ""}
    present = {name: value for name, value in asked.items() if value}
    return reverse("catalog:list") + ("?" + urlencode(present) if present else "")


def _page_number(text: str) -> int:
    # Junk in the address is the first page, not an error.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 1  # noqa: PLR2004 - digits


class RegionalView(PageView):
    """A public page with prices: what a cache keeps of it is of one region."""

    cache_control = PUBLIC

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401 - Django's
        """Answer, and say who may keep it."""
        response = super().dispatch(request, *args, **kwargs)
        regions.say_cached_by_region(request, response)
        return response


class ProductListView(RegionalView):
    """The list of products, with search and categories."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show one page of it."""
        query = request.GET.get("q", "").strip()[:QUERY_LIMIT]
        category = request.GET.get("category", "").strip()[:QUERY_LIMIT]
        page = catalog.list_products(
            query=query, page=max(1, _page_number(request.GET.get("page", ""))), category=category
        )
        sku_ids = [sku.sku_id for product in page.products for sku in product.skus]
        prices = pricing.current_prices(sku_ids=sku_ids, currency=regions.current().currency, now=clock.now())
        stock = inventory.availability(sku_ids=sku_ids)
        context = {
            "heading": category or (_("Search results") if query else _("All products")),
            "query": query,
            "category": category,
            "all_url": _list_url(query=query),
            "categories": [
                {"name": name, "url": _list_url(query=query, category=name), "is_current": name == category}
                for name in catalog.list_categories()
            ],
            "cards": [list_card(product, prices, stock) for product in page.products],
            "found": page.found,
            "number": page.number,
            "pages": page.pages,
            "previous_url": _list_url(query=query, category=category, page=page.number - 1) if page.number > 1 else "",
            "next_url": _list_url(query=query, category=category, page=page.number + 1)
            if page.number < page.pages
            else "",
        }
        return render(request, "catalog/list.html", context)


class ProductView(RegionalView):
    """One product with its SKUs."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Show it; `?sku=` chooses one of its SKUs, `?quantity=` fills in a number."""
        product = catalog.get_product(slug=slug)
        skus = tuple(sku for sku in product.skus if sku.is_sellable)
        sku_ids = [sku.sku_id for sku in skus]
        prices = pricing.current_prices(sku_ids=sku_ids, currency=regions.current().currency, now=clock.now())
        stock = inventory.availability(sku_ids=sku_ids)
        # A product of which nothing is sold any more still has a page: links to it are in carts, orders and mails.
        choices = [sku_choice(sku, prices, stock) for sku in skus or product.skus]
        if not choices:
            raise Http404
        names = list(dict.fromkeys(name for sku in product.skus for name, _value in sku.options))
        quantity = request.GET.get("quantity", "")
        context = {
            "product": product,
            "category_url": _list_url(category=product.category),
            "skus": choices,
            "chosen": choose(choices, request.GET.get("sku", "")),
            "is_single": len(choices) == 1,
            "legend": " · ".join(names) or _("Choose one"),
            "can_keep": bool(skus),
            "can_add": any(choice.can_add for choice in choices),
            "quantity": quantity[:4] or "1",
        }
        return render(request, "catalog/product.html", context)


class PictureView(PageView):
    """A generated picture; its content follows from its name alone."""

    cache_control = IMMUTABLE

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """Draw it."""
        return HttpResponse(pictures.draw(name), content_type="image/svg+xml")


class BitmapView(PageView):
    """The same picture for mail programs, which show no SVG."""

    cache_control = IMMUTABLE

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """Draw it."""
        return HttpResponse(pictures.draw_bitmap(name), content_type="image/png")
