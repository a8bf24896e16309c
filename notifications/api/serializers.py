"""The shape of preferences."""

from __future__ import annotations

from rest_framework import serializers

from shop.core.fields import BooleanField, StrictSerializer


class UpdatePreferences(StrictSerializer):
    """Says whether reminders of a cart that was left are wanted."""

    cart_reminder = BooleanField()


class PreferencesSchema(serializers.Serializer[None]):
    """What a customer wants to be told; mails about orders always come."""

    cart_reminder = serializers.BooleanField(help_text="Reminders by mail of a cart that was left.")
