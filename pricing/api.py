"""How discounts are written for programs, alike in cart, checkout and order."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from pricing.types import Discount
from shop.core.representations import MoneySchema, money_json


class DiscountSchema(serializers.Serializer[Any]):
    """What one promotion or discount code takes off."""

    kind = serializers.ChoiceField(choices=["promotion", "code"])
    name = serializers.CharField()
    code = serializers.CharField(allow_null=True, help_text="The code; of a personal one only its beginning.")
    amount = MoneySchema(help_text="Above 0.")


def discount_json(discount: Discount) -> dict[str, Any]:
    """Write what one promotion or code takes off; of a personal code only its beginning."""
    return {
        "kind": discount.kind,
        "name": discount.name,
        "code": discount.label or None,
        "amount": money_json(discount.amount),
    }
