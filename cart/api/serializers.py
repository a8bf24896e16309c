"""Bodies that the cart's addresses take, and what they answer (for the schema)."""

from __future__ import annotations

from typing import Any, get_args

from rest_framework import serializers

from cart.types import MergeOutcome, MergePolicy, NoticeKind
from inventory.types import AvailabilityState
from pricing.api import DiscountSchema
from shop.core.fields import ChoiceField, IntegerField, StrictSerializer, TextField
from shop.core.representations import MoneySchema, choices_of

MAX_CHANGES = 200
"""More than any cart may hold; how many lines that is, the cart itself says."""
MAX_MOVES = 50
MAX_VERSION = 2**63 - 1

# ---------------------------------------------------------------- what is taken


class SetQuantity(StrictSerializer):
    """An absolute quantity; 0 removes."""

    quantity = IntegerField(min_value=0)


class AddLine(StrictSerializer):
    """Units to add."""

    sku_id = TextField(max_length=200, trim_whitespace=False)
    quantity = IntegerField(min_value=1)


class LineQuantity(StrictSerializer):
    """A line's absolute quantity; 0 removes."""

    sku_id = TextField(max_length=200, trim_whitespace=False)
    quantity = IntegerField(min_value=0)


class ChangeLines(StrictSerializer):
    """Many lines at once, all or nothing."""

    items = serializers.ListField(child=LineQuantity(), max_length=MAX_CHANGES)
    mode = ChoiceField(choices=["patch", "replace"], default="patch")


class Undo(StrictSerializer):
    """Which change to take back."""

    undo = TextField(max_length=200)


class ClientLine(StrictSerializer):
    """A line of a cart that a client kept by itself."""

    sku_id = TextField(max_length=200, trim_whitespace=False)
    quantity = IntegerField(min_value=1)


class MergeSource(StrictSerializer):
    """What is to be joined: a guest's session, lines that a client kept, or what an earlier merge asked about."""

    cart_session = TextField(max_length=200, required=False)
    items = serializers.ListField(child=ClientLine(), required=False, max_length=MAX_CHANGES)
    question = TextField(max_length=200, required=False)


class MergeChoice(StrictSerializer):
    """How one SKU of a question is joined."""

    sku_id = TextField(max_length=200, trim_whitespace=False)
    policy = ChoiceField(choices=[policy.value for policy in MergePolicy if policy is not MergePolicy.PROMPT])


class Merge(StrictSerializer):
    """Joins another cart to the customer's."""

    source = MergeSource()  # type: ignore[assignment]  # a field of ours, not the attribute of DRF's fields
    policy = ChoiceField(choices=[policy.value for policy in MergePolicy], required=False)
    choices = serializers.ListField(child=MergeChoice(), required=False, max_length=MAX_CHANGES)
    merge_id = TextField(max_length=100)


class Acknowledge(StrictSerializer):
    """Notices that were seen: by their ids, or all those of the cart up to a version."""

    notice_ids = serializers.ListField(child=TextField(max_length=300), max_length=500, required=False)
    up_to_version = IntegerField(min_value=0, max_value=MAX_VERSION, required=False)


class SaveQuantity(StrictSerializer):
    """An absolute quantity on the saved list; 0 removes."""

    quantity = IntegerField(min_value=0)


class Move(StrictSerializer):
    """One line to move; all of it, if no quantity is named."""

    sku_id = TextField(max_length=200, trim_whitespace=False)
    to = ChoiceField(choices=["saved", "cart"])
    quantity = IntegerField(min_value=1, required=False)


class Moves(StrictSerializer):
    """Lines to move between cart and saved list, all or nothing."""

    moves = serializers.ListField(child=Move(), max_length=MAX_MOVES, allow_empty=False)


# ---------------------------------------------------------------- what is answered


class PriceSchema(serializers.Serializer[Any]):
    """A line's price then and now (`items.price`)."""

    added = MoneySchema(allow_null=True)
    current = MoneySchema(allow_null=True)
    delta = MoneySchema(allow_null=True)
    since = serializers.DateTimeField(help_text="When the line was added.")


class LineAvailabilitySchema(serializers.Serializer[Any]):
    """What is there of it (`items.availability`)."""

    state = serializers.ChoiceField(choices=choices_of(AvailabilityState))
    buyable = serializers.IntegerField()
    retry_after = serializers.IntegerField(required=False)


class LineSchema(serializers.Serializer[Any]):
    """A line. All but the first two are there if asked for."""

    sku_id = serializers.CharField()
    quantity = serializers.IntegerField()
    title = serializers.CharField(required=False, allow_null=True)
    options = serializers.DictField(child=serializers.CharField(), required=False)
    image = serializers.CharField(required=False, allow_null=True)
    url = serializers.CharField(required=False, allow_null=True)
    price = PriceSchema(required=False)
    line_total = MoneySchema(required=False, allow_null=True)
    availability = LineAvailabilitySchema(required=False)


class TotalsSchema(serializers.Serializer[Any]):
    """Sums at current prices (`totals`)."""

    subtotal = MoneySchema()
    discounts = DiscountSchema(many=True)
    total = MoneySchema()


class NoticeSchema(serializers.Serializer[Any]):
    """Something that changed without the shopper's doing (`notices`)."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(
        choices=list(get_args(NoticeKind)),
    )
    sku_id = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    was = serializers.JSONField(help_text="Money, a quantity, or nothing.")
    now = serializers.JSONField(help_text="Money, a quantity, or nothing.")
    at = serializers.DateTimeField(allow_null=True)


class WarningSchema(serializers.Serializer[Any]):
    """Done, but not exactly as asked."""

    code = serializers.CharField()
    sku_id = serializers.CharField(required=False)
    detail = serializers.CharField()
    requested = serializers.IntegerField(required=False)
    quantity = serializers.IntegerField(required=False, help_text="What it became.")
    buyable = serializers.IntegerField(required=False)


class AskedLineSchema(serializers.Serializer[Any]):
    """A SKU that stood in both carts: how many are in the cart now, and how many the guest's had."""

    sku_id = serializers.CharField()
    account = serializers.IntegerField()
    guest = serializers.IntegerField()


class MergeQuestionSchema(serializers.Serializer[Any]):
    """What a merge left to decide; answered with `POST /cart/merge`."""

    id = serializers.CharField()
    items = AskedLineSchema(many=True)


class CartSchema(serializers.Serializer[Any]):
    """A cart; minimal unless more is asked for."""

    version = serializers.IntegerField(help_text="Opaque; grows with every change. 0: never written.")
    etag = serializers.CharField()
    currency = serializers.CharField()
    items = LineSchema(many=True)
    saved_count = serializers.IntegerField()
    updated_at = serializers.DateTimeField(allow_null=True)
    totals = TotalsSchema(required=False)
    notices = NoticeSchema(many=True, required=False)
    merge_question = MergeQuestionSchema(required=False, allow_null=True, help_text="With `notices`.")
    saved = LineSchema(many=True, required=False)
    can_check_out = serializers.BooleanField(required=False, help_text="With `page`.")
    warnings = WarningSchema(many=True, required=False)


class ChangedCartSchema(CartSchema):
    """The cart after a change."""

    warnings = WarningSchema(many=True)
    undo = serializers.CharField(required=False, help_text="For `POST /cart/undo`, if something was taken away.")


class ChooseRegion(StrictSerializer):
    """Where the cart is bought."""

    region = TextField(max_length=20)


class CountSchema(serializers.Serializer[Any]):
    """How many units are in the cart."""

    units = serializers.IntegerField()


class SavedListSchema(serializers.Serializer[Any]):
    """The saved list."""

    version = serializers.IntegerField()
    etag = serializers.CharField()
    items = LineSchema(many=True)


class MovedSchema(serializers.Serializer[Any]):
    """The cart after moves."""

    cart = CartSchema()
    saved_count = serializers.IntegerField()
    warnings = WarningSchema(many=True)
    undo = serializers.CharField(required=False)


class ReceiptLineSchema(serializers.Serializer[Any]):
    """What a merge did to one SKU: quantities before and after."""

    sku_id = serializers.CharField()
    outcome = serializers.ChoiceField(choices=choices_of(MergeOutcome))
    account = serializers.IntegerField()
    guest = serializers.IntegerField()
    result = serializers.IntegerField()


class MergedSchema(serializers.Serializer[Any]):
    """A merge's answer."""

    cart = CartSchema()
    receipt = ReceiptLineSchema(many=True)
    question = MergeQuestionSchema(required=False, help_text="If the policy is `prompt` and quantities differ.")
    undo = serializers.CharField(required=False)


class DeferredLineSchema(serializers.Serializer[Any]):
    """A saved line of some shopper, as last recorded."""

    user_id = serializers.IntegerField(allow_null=True, help_text="The customer; null for a guest.")
    sku_id = serializers.CharField()
    quantity = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    price_then = MoneySchema(allow_null=True)
    price_now = MoneySchema(allow_null=True)
    price_drop = MoneySchema(allow_null=True, help_text="0 if it costs no less; null if either price is unknown.")


class DeferredListSchema(serializers.Serializer[Any]):
    """Saved lines of all shoppers, a page."""

    items = DeferredLineSchema(many=True)
    next_cursor = serializers.CharField(allow_null=True)
