"""What the shopper types in: mail address, delivery address, consent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from babel import Locale
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from pricing import regions
from shop.checkout import models, selectors
from shop.checkout.errors import CheckoutChangedError
from shop.checkout.services import rows
from shop.checkout.services.quoting import freeze, requote
from shop.checkout.types import CheckoutView, Principal
from shop.core.db import retrying
from shop.core.errors import ErrorDetail, Refusal, RejectedError

ADDRESS_FIELDS: Mapping[str, int] = {
    "name": 100,
    "line1": 200,
    "line2": 200,
    "city": 100,
    "region": 100,
    "postcode": 16,
    "country": 2,
}
"""The fields of an address and the most characters that each takes."""
OPTIONAL_FIELDS = frozenset({"line2", "region"})
MAIL_LIMIT = 254

COUNTRIES = frozenset(code for code in map(str, Locale("en").territories) if re.fullmatch(r"[A-Z]{2}", code)) - {
    "EU",
    "EZ",
    "UN",
    "ZZ",
    "XA",
    "XB",
    "QO",
}
"""ISO 3166-1 alpha-2, as CLDR knows them."""
WITHOUT_POSTCODES = frozenset(
    {"AE", "AO", "BS", "BW", "BZ", "FJ", "GH", "HK", "JM", "KI", "MO", "QA", "SC", "UG", "ZW"}
)
POSTCODES: Mapping[str, re.Pattern[str]] = {
    "GB": re.compile(r"(GIR ?0AA|[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2})", re.ASCII),
    "IE": re.compile(r"[A-Z][0-9][0-9W] ?[A-Z0-9]{4}", re.ASCII),
    "US": re.compile(r"[0-9]{5}(-[0-9]{4})?", re.ASCII),
    "CA": re.compile(r"[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]", re.ASCII),
    "NL": re.compile(r"[1-9][0-9]{3} ?[A-Z]{2}", re.ASCII),
    **{code: re.compile(r"[0-9]{5}", re.ASCII) for code in ("DE", "FR", "ES", "IT", "FI")},
    **{code: re.compile(r"[0-9]{4}", re.ASCII) for code in ("AT", "CH", "BE", "DK", "NO", "AU", "NZ")},
}
ANY_POSTCODE = re.compile(r"[A-Z0-9][A-Z0-9 -]{1,14}", re.ASCII)

_check_email = EmailValidator()


def update_details(
    *,
    checkout_id: str,
    principal: Principal,
    details: Mapping[str, str | bool],
    expected_version: int | None,
    now: datetime,
) -> CheckoutView:
    """Take what was typed: any of `email`, `consent_reminders` and the fields of `ADDRESS_FIELDS`.

    Fields that are not given stay as they are; an address, once touched, has to be whole. All wrong fields are named
    at once, by pointers such as `/email` and `/shipping_address/postcode`. When the price lock is over the lines are
    quoted anew: a fall is applied here, a rise waits until it is agreed to, so that nothing typed is lost.

    :raises CheckoutUnknownError: if there is no such checkout, or it is another's.
    :raises CheckoutCancelledError: if it is over.
    :raises PaymentInProgressError: if it is being paid.
    :raises CheckoutChangedError: if its version is not `expected_version`.
    :raises RejectedError: if a field is not valid.
    """

    @retrying
    def write() -> None:
        row = rows.lock(checkout_id=checkout_id, principal=principal)
        rows.require_open(row)
        if expected_version is not None and row.version != expected_version:
            raise CheckoutChangedError(row.version)
        _fill(row, details)
        if row.lock_expires_at <= now:
            _apply_fall(row, now)
        rows.touch(row, now=now)

    write()
    return selectors.get_checkout(checkout_id=checkout_id, principal=principal, now=now)


def clean_email(text: str) -> str:
    """Check a mail address and return it without surrounding space.

    :raises RejectedError: if it is not one; detail at `/email`.
    """
    value = text.strip()
    code = _email_code(value)
    if code:
        raise RejectedError(errors=(ErrorDetail("/email", code, {"limit": MAIL_LIMIT}),))
    return value


def _fill(row: models.Checkout, details: Mapping[str, str | bool]) -> None:
    errors: list[ErrorDetail] = []
    if "email" in details:
        email = str(details["email"]).strip()
        if code := _email_code(email):
            errors.append(ErrorDetail("/email", code, {"limit": MAIL_LIMIT}))
        row.email = email
    given = {name: _clean(str(details[name])) for name in ADDRESS_FIELDS if name in details}
    if given:
        address = dict.fromkeys(ADDRESS_FIELDS, "") | row.address | given
        address["country"] = address["country"].upper()
        if address["country"] not in WITHOUT_POSTCODES:
            address["postcode"] = address["postcode"].upper()
        errors.extend(_address_errors(address, countries_of(row.currency)))
        row.address = address
    if "consent_reminders" in details:
        row.consent_reminders = details["consent_reminders"] is True
    if errors:
        raise RejectedError(errors=tuple(errors))


def countries_of(currency: str) -> frozenset[str]:
    """List where a checkout in this currency may be sent."""
    return regions.countries_of(currency) or COUNTRIES


def _address_errors(address: Mapping[str, str], countries: frozenset[str]) -> list[ErrorDetail]:
    errors = []
    for name, limit in ADDRESS_FIELDS.items():
        code = _field_code(name, address[name], limit, address["country"], countries)
        if code:
            errors.append(ErrorDetail(f"/shipping_address/{name}", code, {"limit": limit}))
    return errors


def _field_code(name: str, text: str, limit: int, country: str, countries: frozenset[str]) -> str:
    """Say what is wrong with one field of an address: a stable code, empty if nothing is."""
    if not text:
        is_needed = name not in OPTIONAL_FIELDS and not (name == "postcode" and country in WITHOUT_POSTCODES)
        return f"{name}_missing" if is_needed else ""
    if len(text) > limit:
        return "too_long"
    if not is_typed_text(text):
        return "invalid_characters"
    if name == "country":
        return "" if text in countries else "country_not_in_region" if text in COUNTRIES else "country_unknown"
    if name == "postcode":
        return "" if POSTCODES.get(country, ANY_POSTCODE).fullmatch(text) else "postcode_invalid"
    return ""


def _email_code(value: str) -> str:
    if not value:
        return "email_missing"
    if len(value) > MAIL_LIMIT:
        return "too_long"
    try:
        _check_email(value)
    except ValidationError:
        return "email_invalid"
    return ""


def is_typed_text(text: str) -> bool:
    """Tell whether `text` is one line as people type it: any script, no control characters or half characters."""
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _apply_fall(row: models.Checkout, now: datetime) -> None:
    """Quote a locked checkout anew after its price lock, and freeze the new quote unless it is dearer."""
    try:
        fresh = requote(row, now=now)
    except Refusal:
        return  # paying says which line is gone; what was typed is kept
    if fresh.quote.total.minor <= row.total_minor:
        freeze(row, fresh, now=now)
