"""Bodies that checkouts, payments and orders take, and what they answer (for the schema)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inventory.types import ReservationState
from pricing.api import DiscountSchema
from shop.checkout.types import CheckoutState, PaymentState, ReorderOutcome
from shop.core.fields import BooleanField, IntegerField, StrictSerializer, TextField
from shop.core.representations import MoneySchema, choices_of

MAX_MINOR = 2**53 - 1
"""The largest whole number that every client's JSON holds exactly."""
REQUIREMENTS = ("email", "shipping_address", "reservation")

# ---------------------------------------------------------------- what is taken


class StartCheckout(StrictSerializer):
    """Starts a checkout of the cart."""

    accepted_total = IntegerField(min_value=0, max_value=MAX_MINOR, required=False)
    email = TextField(max_length=1_000, required=False, allow_blank=True)


class ShippingAddress(StrictSerializer):
    """Where the order goes. Which fields are needed and well formed, the checkout says, all at once."""

    name = TextField(max_length=1_000, required=False, allow_blank=True)
    line1 = TextField(max_length=1_000, required=False, allow_blank=True)
    line2 = TextField(max_length=1_000, required=False, allow_blank=True)
    city = TextField(max_length=1_000, required=False, allow_blank=True)
    region = TextField(max_length=1_000, required=False, allow_blank=True)
    postcode = TextField(max_length=1_000, required=False, allow_blank=True)
    country = TextField(max_length=1_000, required=False, allow_blank=True)


class UpdateCheckout(StrictSerializer):
    """What the shopper typed; what is not sent stays."""

    email = TextField(max_length=1_000, required=False, allow_blank=True)
    shipping_address = ShippingAddress(required=False)
    consent_reminders = BooleanField(required=False)


class ReserveAgain(StrictSerializer):
    """Reserves again, at a total that was agreed to."""

    accepted_total = IntegerField(min_value=0, max_value=MAX_MINOR, required=False)


class Pay(StrictSerializer):
    """Pays."""

    method = TextField(max_length=50)
    provider_token = TextField(max_length=500)
    expected_total = IntegerField(min_value=0, max_value=MAX_MINOR)


class Nothing(StrictSerializer):
    """An empty object."""


# ---------------------------------------------------------------- what is answered


class AddressSchema(serializers.Serializer[Any]):
    """Where the order goes. `country` is ISO 3166-1 alpha-2."""

    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField(allow_blank=True)
    city = serializers.CharField()
    region = serializers.CharField(allow_blank=True)
    postcode = serializers.CharField(allow_blank=True)
    country = serializers.CharField()


class CheckoutLineSchema(serializers.Serializer[Any]):
    """One line of the frozen quote."""

    sku_id = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneySchema()
    line_total = MoneySchema()
    discount = MoneySchema(help_text="This line's part of the discounts.")
    price_at_add = MoneySchema(allow_null=True)
    image = serializers.CharField(allow_null=True)


class ReservationSchema(serializers.Serializer[Any]):
    """The units that are kept. Count down from `expires_at − server_time`."""

    state = serializers.ChoiceField(choices=choices_of(ReservationState))
    expires_at = serializers.DateTimeField(allow_null=True)
    renewals_left = serializers.IntegerField()


class PriceLockSchema(serializers.Serializer[Any]):
    """How long the quote stands."""

    expires_at = serializers.DateTimeField()


class CheckoutTotalsSchema(serializers.Serializer[Any]):
    """What will be charged."""

    subtotal = MoneySchema()
    discounts = DiscountSchema(many=True)
    total = MoneySchema()


class LastPaymentSchema(serializers.Serializer[Any]):
    """The last try to pay."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=choices_of(PaymentState))
    decline_reason = serializers.CharField(allow_null=True)


class CheckoutSchema(serializers.Serializer[Any]):
    """A checkout."""

    id = serializers.CharField()
    state = serializers.ChoiceField(choices=choices_of(CheckoutState))
    version = serializers.IntegerField()
    etag = serializers.CharField()
    server_time = serializers.DateTimeField()
    reservation = ReservationSchema()
    price_lock = PriceLockSchema()
    lines = CheckoutLineSchema(many=True)
    totals = CheckoutTotalsSchema()
    requirements = serializers.ListField(
        child=serializers.ChoiceField(choices=REQUIREMENTS),
        help_text="What is missing before paying.",
    )
    email = serializers.CharField(allow_null=True)
    shipping_address = AddressSchema(allow_null=True)
    consent_reminders = serializers.BooleanField()
    order_number = serializers.CharField(allow_null=True)
    last_payment = LastPaymentSchema(allow_null=True)


class NextActionSchema(serializers.Serializer[Any]):
    """What the payer has to do."""

    type = serializers.ChoiceField(choices=["redirect"])
    url = serializers.CharField(
        help_text="Where the payer goes in a browser; it needs no session and no cookie of the cart."
    )


class PaymentSchema(serializers.Serializer[Any]):
    """A payment. One that succeeds completes the order by itself."""

    id = serializers.CharField()
    checkout_id = serializers.CharField()
    state = serializers.ChoiceField(choices=choices_of(PaymentState))
    amount = MoneySchema()
    order_number = serializers.CharField(allow_null=True)
    decline_reason = serializers.CharField(allow_null=True)
    next_action = NextActionSchema(required=False)


class OrderLineSchema(serializers.Serializer[Any]):
    """What was bought, frozen."""

    sku_id = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneySchema()
    line_total = MoneySchema()
    discount = MoneySchema(help_text="This line's part of the discounts.")
    image = serializers.CharField()


class OrderSchema(serializers.Serializer[Any]):
    """An order."""

    number = serializers.CharField()
    placed_at = serializers.DateTimeField()
    payment_state = serializers.ChoiceField(choices=choices_of(PaymentState))
    email = serializers.CharField()
    shipping_address = AddressSchema()
    lines = OrderLineSchema(many=True)
    totals = CheckoutTotalsSchema()


class ReorderedLineSchema(serializers.Serializer[Any]):
    """What became of one line of the order."""

    sku_id = serializers.CharField()
    title = serializers.CharField()
    outcome = serializers.ChoiceField(choices=choices_of(ReorderOutcome))
    ordered = serializers.IntegerField()
    added = serializers.IntegerField()


class CartVersionSchema(serializers.Serializer[Any]):
    """The cart afterwards."""

    version = serializers.IntegerField()
    etag = serializers.CharField()
    units = serializers.IntegerField()


class ReorderSchema(serializers.Serializer[Any]):
    """The receipt of a reorder: every line of the order."""

    receipt = ReorderedLineSchema(many=True)
    cart = CartVersionSchema()


class OrderListSchema(serializers.Serializer[Any]):
    """A slice of orders, newest first."""

    items = OrderSchema(many=True)
    next_cursor = serializers.CharField(allow_null=True)
