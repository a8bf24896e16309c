"""SKUs with price and availability: the one place where programs read the catalog. Public, cacheable at the edge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from cart.conf import conf as cart_conf
from inventory import selectors as inventory
from inventory.types import AvailabilityState
from pricing import regions
from pricing import selectors as pricing
from shop.catalog import selectors as catalog
from shop.catalog.types import SkuCard
from shop.core import clock
from shop.core.api import ApiView, plain
from shop.core.errors import ErrorDetail
from shop.core.http import read_whole_number
from shop.core.preconditions import is_unchanged
from shop.core.problems import ApiProblem
from shop.core.representations import MoneySchema, choices_of, money_json

MAX_IDS = 100
DEFAULT_LIMIT = 24
REGION = OpenApiParameter("region", str, description="Prices in its currency; without it in the default region's.")


class AvailabilitySchema(serializers.Serializer[Any]):
    """Whether the SKU can be bought now."""

    state = serializers.ChoiceField(choices=choices_of(AvailabilityState))
    buyable = serializers.IntegerField(help_text="How many can be bought now, at most the line limit.")
    retry_after = serializers.IntegerField(
        required=False,
        help_text="Seconds until reserved units may come back, with `reserved_by_others`.",
    )


class SkuSchema(serializers.Serializer[Any]):
    """One SKU."""

    sku_id = serializers.CharField()
    title = serializers.CharField()
    options = serializers.DictField(child=serializers.CharField(), help_text="Such as Size: 350 ml.")
    image = serializers.CharField(help_text="A path on this host.")
    url = serializers.CharField(help_text="The page of this SKU, a path on this host.")
    price = MoneySchema(allow_null=True)
    availability = AvailabilitySchema()


class SkuListSchema(serializers.Serializer[Any]):
    """A slice of SKUs."""

    items = SkuSchema(many=True)
    next_cursor = serializers.CharField(allow_null=True)


def skus_json(cards: Sequence[SkuCard], currency: str) -> list[dict[str, Any]]:
    """Write SKUs with their prices in a currency and what is there of them (two queries, whatever their number)."""
    sku_ids = [card.sku_id for card in cards]
    prices = pricing.current_prices(sku_ids=sku_ids, currency=currency, now=clock.now())
    stock = inventory.availability(sku_ids=sku_ids)
    limit = cart_conf().max_quantity
    items: list[dict[str, Any]] = []
    for card in cards:
        price, there = prices.get(card.sku_id), stock[card.sku_id]
        is_sold = card.is_sellable and price is not None
        availability: dict[str, Any] = {
            "state": there.state if card.is_sellable else AvailabilityState.DISCONTINUED,
            "buyable": min(there.available, limit) if is_sold else 0,
        }
        if is_sold and there.retry_after_seconds is not None:
            availability["retry_after"] = there.retry_after_seconds
        items.append(
            {
                "sku_id": card.sku_id,
                "title": card.title,
                "options": dict(card.options),
                "image": card.image_url,
                "url": card.url,
                "price": money_json(price) if is_sold else None,
                "availability": availability,
            },
        )
    return items


class SkuApiView(ApiView):
    """What both addresses share: nobody is asked who they are, so that one answer fits all."""

    authentication_classes = ()
    cache_control = "public, s-maxage=60, stale-while-revalidate=300"

    query = frozenset({"region"})

    def currency_of(self, request: Request) -> str:
        """Tell in which currency `region` asks for prices. It stands in the address, so that caches tell them apart.

        :raises ApiProblem: if there is no such region.
        """
        code = request.GET.get("region")
        region = regions.list_regions()[0] if code is None else regions.find(code)
        if region is None:
            raise ApiProblem("validation_failed", errors=(ErrorDetail("", "region_unknown", {"parameter": "region"}),))
        return region.currency

    def tagged(self, request: Request, data: dict[str, Any]) -> Response:
        """Answer with an entity tag over the content, or 304."""
        digest = hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:20]
        tag = f'"{digest}"'
        headers = {"ETag": tag}
        if is_unchanged(plain(request), tag):
            return Response(status=304, headers=headers)
        return Response(data, headers=headers)


class SkuListView(SkuApiView):
    """`/skus`."""

    query = frozenset({"q", "limit", "cursor", "ids", "region"})

    @extend_schema(
        operation_id="list_skus",
        tags=["catalog"],
        parameters=[
            REGION,
            OpenApiParameter("q", str, description="Words that must all be found in title, description or SKU."),
            OpenApiParameter("limit", int, description=f"1 to 100, default {DEFAULT_LIMIT}."),
            OpenApiParameter("cursor", str, description="`next_cursor` of the slice before."),
            OpenApiParameter(
                "ids", str, description="Up to 100 SKU ids, separated by commas; alone. Unknown ones are absent."
            ),
        ],
        responses={200: SkuListSchema},
    )
    def get(self, request: Request) -> Response:
        """List SKUs that are sold, by id; or look up those in `ids`, sold or not."""
        currency = self.currency_of(request)
        asked = request.GET.get("ids")
        if asked is not None:
            if len(request.GET.keys() - {"region"}) > 1:
                raise ApiProblem("validation_failed", errors=(ErrorDetail("", "ids_alone", {"parameter": "ids"}),))
            sku_ids = list(dict.fromkeys(filter(None, asked.split(","))))
            if len(sku_ids) > MAX_IDS:
                raise ApiProblem(
                    "validation_failed",
                    errors=(ErrorDetail("", "too_many", {"limit": MAX_IDS, "parameter": "ids"}),),
                )
            found = catalog.list_cards(sku_ids=sku_ids)
            cards = [found[sku_id] for sku_id in sku_ids if sku_id in found]
            return self.tagged(request, {"items": skus_json(cards, currency), "next_cursor": None})
        limit = read_whole_number(plain(request), "limit", default=DEFAULT_LIMIT, minimum=1, maximum=100)
        found_slice = catalog.list_skus(
            query=request.GET.get("q", ""),
            limit=limit,
            cursor=request.GET.get("cursor", ""),
        )
        return self.tagged(
            request,
            {"items": skus_json(found_slice.skus, currency), "next_cursor": found_slice.next_cursor or None},
        )


class SkuView(SkuApiView):
    """`/skus/{sku_id}`."""

    @extend_schema(operation_id="get_sku", tags=["catalog"], parameters=[REGION], responses={200: SkuSchema})
    def get(self, request: Request, sku_id: str) -> Response:
        """Look up one SKU, sold or not."""
        return self.tagged(request, skus_json([catalog.get_card(sku_id=sku_id)], self.currency_of(request))[0])
