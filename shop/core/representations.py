"""How the API writes plain values, and how the schema describes them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from rest_framework import serializers

from shop.core.money import Money


def money_json(money: Money | None) -> dict[str, Any] | None:
    """Write an amount in integer minor units; nothing stays nothing."""
    return None if money is None else {"amount": money.minor, "currency": money.currency}


def choices_of(enum: type[StrEnum]) -> list[tuple[str, str]]:
    """Give the members of an enum as a serializer's choices; their names are how the schema knows the enum again."""
    return [(member.value, member.name) for member in enum]


class MoneySchema(serializers.Serializer[Any]):
    """An amount in the currency's smallest unit."""

    amount = serializers.IntegerField(help_text="Integer minor units: pence, cents, whole yen.")
    currency = serializers.CharField(min_length=3, max_length=3, help_text="ISO 4217.")
