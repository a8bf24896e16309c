"""Shoppers with something in their cart, on their way to an order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cart import selectors as carts
from cart import services as cart_services
from cart.types import CartRef
from inventory import selectors as stock
from inventory.models import StockItem
from pricing import services as pricing
from shop.checkout import models, services
from shop.checkout.gateways import gateway
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Outcome
from shop.checkout.types import CheckoutView, PaymentState, PaymentView, Principal
from shop.core import clock
from shop.core.ids import new_id
from shop.core.money import Money
from tests.cart.helpers import make_sku, new_guest

ADDRESS: dict[str, str | bool] = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postcode": "SW1Y 4JH",
    "country": "GB",
}

__all__ = ["ADDRESS", "make_sku", "new_guest"]


def principal_of(ref: CartRef) -> Principal:
    """Name the owner of a cart."""
    return Principal(owner=ref.owner, user_id=ref.user_id)


def put(ref: CartRef, sku_id: str, quantity: int = 1) -> None:
    """Put so many units into a cart, whatever was there of the SKU."""
    cart_services.set_quantity(ref=ref, sku_id=sku_id, quantity=quantity, now=clock.now())


def set_price(sku_id: str, minor: int) -> None:
    """Let another price be in force from now on."""
    pricing.set_prices(prices={sku_id: Money(minor, "GBP")}, valid_from=clock.now() - timedelta(milliseconds=1))


def start(ref: CartRef, *, accepted_total: int | None = None) -> CheckoutView:
    """Start or refresh the checkout of a cart."""
    view, _ = services.start_checkout(
        ref=ref,
        principal=principal_of(ref),
        accepted_total=accepted_total,
        expected_cart_version=None,
        now=clock.now(),
    )
    return view


def fill(view: CheckoutView, ref: CartRef, *, email: str = "ada@example.com") -> CheckoutView:
    """Type in everything that is needed to pay."""
    return services.update_details(
        checkout_id=view.checkout_id,
        principal=principal_of(ref),
        details={"email": email, **ADDRESS},
        expected_version=None,
        now=clock.now(),
    )


def ready(ref: CartRef | None = None, *, sku_id: str = "MUG", quantity: int = 1) -> tuple[CartRef, CheckoutView]:
    """Bring a guest to the pay button."""
    owner = ref or new_guest()
    put(owner, sku_id, quantity)
    return owner, fill(start(owner), owner)


def pay(view: CheckoutView, ref: CartRef, says: str = "ok", *, total: int | None = None, key: str = "") -> PaymentView:
    """Press the pay button."""
    return services.pay(
        checkout_id=view.checkout_id,
        principal=principal_of(ref),
        method="fake",
        provider_token=says,
        expected_total=view.total.minor if total is None else total,
        key=key or new_id("key"),
        now=clock.now(),
    )


def offline() -> FakeGateway:
    """Give the offline gateway."""
    found = gateway("fake")
    assert isinstance(found, FakeGateway)
    return found


def outcome_of(payment_id: str, state: PaymentState = PaymentState.SUCCEEDED, **changed: object) -> Outcome:
    """Say something about a payment as its provider would."""
    row = models.Payment.objects.get(pk=payment_id)
    values: dict[str, object] = {
        "key": payment_id,
        "reference": "fch_" + payment_id[4:],
        "checkout_id": row.checkout_id,
        "state": state,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "account": "offline",
        "is_live": False,
    }
    return Outcome(**{**values, **changed})  # type: ignore[arg-type]  # a test says wrong things on purpose


def counters(sku_id: str = "MUG") -> tuple[int, int]:
    """Tell on hand and reserved of a SKU."""
    item = StockItem.objects.get(pk=sku_id)
    return item.on_hand, item.reserved


def reservation_state(view: CheckoutView) -> str:
    """Tell how the reservation of a checkout stands now."""
    row = models.Checkout.objects.get(pk=view.checkout_id)
    return stock.get_reservation(reservation_id=row.reservation_id).state.value


def cart_of(ref: CartRef) -> dict[str, int]:
    """Tell how many of what is in a cart."""
    return {line.sku_id: line.quantity for line in carts.get_cart(ref=ref).lines}


def later(seconds: float) -> datetime:
    """Tell the time so many seconds from now."""
    return datetime.now(tz=UTC) + timedelta(seconds=seconds)
