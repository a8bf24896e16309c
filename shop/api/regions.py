"""The shop's regions for programs. Public, cacheable at the edge."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from pricing import regions
from shop.core.api import ApiView


class RegionSchema(serializers.Serializer[Any]):
    """Where people shop in one currency."""

    region = serializers.CharField(help_text="For `PUT /cart/region`, `GET /skus?region=` and the header `Region`.")
    name = serializers.CharField()
    currency = serializers.CharField(help_text="ISO 4217.")
    countries = serializers.ListField(
        child=serializers.CharField(), help_text="Where it delivers, ISO 3166-1. Empty: anywhere."
    )


class RegionListSchema(serializers.Serializer[Any]):
    """All regions, the default one first."""

    items = RegionSchema(many=True)


class RegionListView(ApiView):
    """`/regions`."""

    authentication_classes = ()
    cache_control = "public, s-maxage=60, stale-while-revalidate=300"

    @extend_schema(operation_id="list_regions", tags=["catalog"], responses={200: RegionListSchema})
    def get(self, request: Request) -> Response:
        """List the regions, the default one first. A shop that has no choice has one, without a code."""
        items = [
            {
                "region": region.code,
                "name": region.name,
                "currency": region.currency,
                "countries": sorted(region.countries),
            }
            for region in regions.list_regions()
        ]
        return Response({"items": items})
