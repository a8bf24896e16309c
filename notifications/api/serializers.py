"""The shape of preferences."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from shop.core.clock import is_zone
from shop.core.fields import BooleanField, StrictSerializer, TextField, invalid

_OPENS = "That reminders tell when they are opened; only in shops that count that."
_LANGUAGE = "Of mails, one of the shop's, such as de; null: that of the last order."
_TIME_ZONE = "By its clock no mail comes at night, such as Europe/Berlin."


class TimeZoneField(TextField):
    """The name of a time zone."""

    def to_internal_value(self, data: object) -> str:
        """Take the name.

        :raises ValidationError: `not_a_time_zone`, or as a text.
        """
        name = super().to_internal_value(data)
        if not is_zone(name):
            raise invalid("not_a_time_zone")
        return name


class LanguageField(TextField):
    """One of the shop's languages."""

    def to_internal_value(self, data: object) -> str:
        """Take its code.

        :raises ValidationError: `out_of_choice`, or as a text.
        """
        code = super().to_internal_value(data)
        if code not in (known := dict(settings.LANGUAGES)):
            raise invalid("out_of_choice", choices=", ".join(known))
        return code


class UpdatePreferences(StrictSerializer):
    """Says what a customer wants to be told, and how; what is absent stays as it is."""

    cart_reminder = BooleanField(required=False)
    price_drop = BooleanField(required=False)
    back_in_stock = BooleanField(required=False)
    open_tracking = BooleanField(required=False, help_text=_OPENS)
    language = LanguageField(required=False, allow_null=True, max_length=20, help_text=_LANGUAGE)
    time_zone = TimeZoneField(required=False, max_length=64, help_text=_TIME_ZONE)


class PreferencesSchema(serializers.Serializer[None]):
    """What a customer wants to be told; mails about orders always come."""

    cart_reminder = serializers.BooleanField(help_text="Reminders by mail of a cart that was left.")
    price_drop = serializers.BooleanField(help_text="Mails when a saved item costs less.")
    back_in_stock = serializers.BooleanField(help_text="Mails when a saved item can be bought again.")
    open_tracking = serializers.BooleanField(required=False, help_text=_OPENS)
    language = serializers.CharField(allow_null=True, help_text=_LANGUAGE)
    time_zone = serializers.CharField(allow_null=True, help_text=f"{_TIME_ZONE} Null: not known.")
