"""Words for the refusals of checkout and payment."""

from __future__ import annotations

from babel import Locale, UnknownLocaleError
from django.utils.translation import get_language, gettext_lazy, ngettext, to_locale
from django.utils.translation import gettext as _

from shop.checkout import errors
from shop.core.money import Money
from shop.core.words import DETAIL_WORDS, Words, words


def format_money(money: Money) -> str:
    """Write an amount as people of the active language do."""
    try:
        locale = str(Locale.parse(to_locale(get_language() or "en_GB")))
    except (UnknownLocaleError, ValueError):
        locale = "en_GB"
    return money.format(locale)


@words.register
def _checkout_unknown(refusal: errors.CheckoutUnknownError) -> Words:
    return Words(_("Checkout not found"), _("There is no such checkout, or it is not yours."))


@words.register
def _order_unknown(refusal: errors.OrderUnknownError) -> Words:
    return Words(_("Order not found"), _("There is no such order, or it is not yours."))


@words.register
def _payment_unknown(refusal: errors.PaymentUnknownError) -> Words:
    return Words(_("Payment not found"), _("There is no such payment, or it is not yours."))


@words.register
def _cart_empty(refusal: errors.CartEmptyError) -> Words:
    return Words(_("Nothing to check out"), _("Your cart is empty."))


@words.register
def _money_under_way(refusal: errors.MoneyUnderWayError) -> Words:
    detail = _(
        "A payment of this customer is not settled yet, is in review or has to be refunded. Try again after that."
    )
    return Words(_("Money is under way"), detail)


@words.register
def _nothing_to_reorder(refusal: errors.NothingToReorderError) -> Words:
    detail = _("Nothing of this order is available right now. Your cart is as it was.")
    return Words(_("Nothing to order again"), detail)


@words.register
def _line_unavailable(refusal: errors.LineUnavailableError) -> Words:
    titles = [str(detail.params["title"]) for detail in refusal.errors if "title" in detail.params]
    if all(detail.code == "not_in_region" for detail in refusal.errors):
        detail = _("Not sold in your region: {titles}. Remove it to check out.").replace("{titles}", "; ".join(titles))
        return Words(_("Not sold in your region"), detail)
    if len(titles) == 1:
        detail = _("{title} is no longer sold. Remove it to check out.").replace("{title}", titles[0])
    else:
        detail = _("Some of your items are no longer sold. Remove them to check out.")
    return Words(_("No longer sold"), detail)


@words.register
def _price_changed(refusal: errors.PriceChangedError) -> Words:
    detail = _("The total is {total} now. Nothing was reserved or charged. Please look at it and continue.")
    return Words(_("The price has changed"), detail.replace("{total}", format_money(refusal.quote.total)))


@words.register
def _checkout_changed(refusal: errors.CheckoutChangedError) -> Words:
    return Words(_("Checkout changed"), _("This checkout was changed in another tab. We show the latest version."))


@words.register
def _checkout_cancelled(refusal: errors.CheckoutCancelledError) -> Words:
    return Words(_("Checkout ended"), _("This checkout is over. Your cart is kept; you can check out again."))


@words.register
def _checkout_incomplete(refusal: errors.CheckoutIncompleteError) -> Words:
    return Words(_("Something is missing"), _("Please fill in what is missing before you pay."))


@words.register
def _payment_in_progress(refusal: errors.PaymentInProgressError) -> Words:
    detail = _("This cart is being paid for. You can change it when the payment is finished.")
    return Words(_("Payment under way"), detail)


DECLINES = {
    "card_declined": gettext_lazy(
        "Your bank declined the card. Nothing was charged. Your cart and details are kept; "
        "we reserve your items again when you try again."
    ),
    "authentication_failed": gettext_lazy(
        "The payment was not approved at your bank. Nothing was charged. Your cart and details are kept; "
        "we reserve your items again when you try again."
    ),
    "canceled": gettext_lazy(
        "The payment took too long and was ended. Nothing was charged. Your cart and details are kept; "
        "we reserve your items again when you try again."
    ),
    "not_received": gettext_lazy(
        "The payment did not reach the payment provider. Nothing was charged. Your cart and details are kept; "
        "we reserve your items again when you try again."
    ),
    "gateway_unavailable": gettext_lazy(
        "The payment provider could not be reached. Nothing was charged. Your cart and details are kept. "
        "Please try again."
    ),
}
"""A payment's `decline_reason` → a sentence; `card_declined` stands for every reason not listed."""


def decline_words(reason: str) -> str:
    """Say why a payment failed, and that nothing is lost."""
    return str(DECLINES.get(reason, DECLINES["card_declined"]))


def refund_words(total: Money) -> str:
    """Say that a payment came too late for its items, and that it is given back."""
    sentence = _(
        "Your payment arrived too late: what it was for had gone to somebody else. We are refunding {total} in full."
    )
    return sentence.replace("{total}", format_money(total))


@words.register
def _payment_declined(refusal: errors.PaymentDeclinedError) -> Words:
    return Words(_("Payment declined"), decline_words(refusal.reason))


UNDECIDABLE = {
    "refund_asked": gettext_lazy("A refund of this payment was asked for already."),
    "second_person": gettext_lazy("You asked for this refund. Somebody else has to agree to it."),
    "not_paid": gettext_lazy("The provider's books do not say that this payment was made."),
    "wrong_amount": gettext_lazy("The provider took another amount than the checkout's total."),
    "wrong_currency": gettext_lazy("The provider took another currency than the checkout's."),
    "wrong_checkout": gettext_lazy("The provider took this for another checkout."),
    "wrong_account": gettext_lazy("The money went to another account."),
    "wrong_mode": gettext_lazy("The payment was made in the provider's test mode."),
}
"""Why staff cannot decide something → a sentence; the rest has changed meanwhile."""


@words.register
def _not_decidable(refusal: errors.NotDecidableError) -> Words:
    fallback = _("This has changed meanwhile, so it cannot be decided any more. Open the page again.")
    return Words(_("Not possible"), str(UNDECIDABLE.get(refusal.why, fallback)))


@words.register
def _units_limit(refusal: errors.UnitsLimitError) -> Words:
    detail = _("At most %(limit)d units can be reserved at once. Take some out of your cart, or pay in two orders.")
    return Words(_("Too many units"), detail % {"limit": refusal.limit})


@words.register
def _address_limit(refusal: errors.AddressLimitError) -> Words:
    return Words(
        _("Too many checkouts"),
        _("A lot is being reserved from your network right now. Please try again in a few minutes."),
    )


@words.register
def _reservation_limit(refusal: errors.ReservationLimitError) -> Words:
    sentence = ngettext(
        "You have %(limit)d checkout open. Finish or cancel it first.",
        "You have %(limit)d checkouts open. Finish or cancel one of them first.",
        refusal.limit,
    )
    return Words(_("Too many checkouts"), sentence % {"limit": refusal.limit})


@words.register
def _gateway_unavailable(refusal: errors.GatewayUnavailableError) -> Words:
    detail = _("The payment provider cannot be reached right now. Nothing was charged. Please try again in a minute.")
    return Words(_("Payment not possible right now"), detail)


@words.register
def _key_missing(refusal: errors.IdempotencyKeyMissingError) -> Words:
    detail = _("This request needs the header “Idempotency-Key”, so that it can be repeated safely.")
    return Words(_("Idempotency key missing"), detail)


@words.register
def _key_invalid(refusal: errors.IdempotencyKeyInvalidError) -> Words:
    detail = _("“Idempotency-Key” must be sent once, with 1 to 255 printable ASCII characters without commas.")
    return Words(_("Idempotency key not valid"), detail)


@words.register
def _key_reused(refusal: errors.IdempotencyKeyReusedError) -> Words:
    return Words(_("Idempotency key reused"), _("This idempotency key was used for another request. Send a fresh one."))


@words.register
def _in_progress(refusal: errors.IdempotencyInProgressError) -> Words:
    detail = _("The first request with this idempotency key is still running. Please repeat it in a moment.")
    return Words(_("Still running"), detail)


@words.register
def _webhook_refused(refusal: errors.WebhookRefusedError) -> Words:
    return Words(_("Webhook refused"), _("The signature or its time is not good."))


DETAIL_WORDS.update(
    {
        "no_longer_sold": gettext_lazy("{title} is no longer sold. It is not in your total."),
        "email_missing": gettext_lazy("Enter a mail address."),
        "email_invalid": gettext_lazy("Enter a mail address like name@example.com."),
        "reason_missing": gettext_lazy("Say why."),
        "address_missing": gettext_lazy("Enter a delivery address."),
        "name_missing": gettext_lazy("Enter your full name."),
        "line1_missing": gettext_lazy("Enter an address."),
        "city_missing": gettext_lazy("Enter a city."),
        "postcode_missing": gettext_lazy("Enter a postcode."),
        "postcode_invalid": gettext_lazy("Enter a postcode of the chosen country."),
        "country_missing": gettext_lazy("Choose a country."),
        "country_unknown": gettext_lazy("Choose a country from the list."),
        "country_not_in_region": gettext_lazy("We do not deliver there in the region you chose."),
        "not_in_region": gettext_lazy("{title} is not sold in your region. It is not in your total."),
        "too_long": gettext_lazy("Use at most {limit} characters."),
    },
)
