"""The fields of the checkout's forms: what is asked, under which name, with which help for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from babel import Locale
from django.http import QueryDict
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

from shop.checkout.conf import conf
from shop.checkout.services.details import COUNTRIES, countries_of
from shop.checkout.types import CheckoutView
from shop.core.errors import RejectedError
from shop.core.words import detail_words

NAMES = ("email", "name", "line1", "line2", "city", "postcode", "country")
HOSTED = "hosted"
"""The way of paying of a provider with a page of its own."""
OUTCOMES = ("ok", "declined", "slow", "timeout_after_success", "requires_action")
DEFAULT_COUNTRY = "GB"
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the delivery form."""

    name: str
    label: str
    value: str
    error: str
    autocomplete: str
    kind: str = "text"
    mode: str = "text"
    hint: str = ""
    is_optional: bool = False
    is_short: bool = False
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer that the offline gateway can be asked for."""

    token: str
    title: str
    detail: str
    is_chosen: bool


def read(posted: QueryDict) -> dict[str, str]:
    """Read what was typed, as it was typed."""
    return {name: posted.get(name, "")[:_LONGEST] for name in (*NAMES, "consent_reminders")}


def details(typed: Mapping[str, str]) -> dict[str, str | bool]:
    """Turn what was typed into what the service takes."""
    taken: dict[str, str | bool] = {name: typed[name] for name in NAMES}
    taken["consent_reminders"] = typed["consent_reminders"] == "on"
    return taken


def known(checkout: CheckoutView) -> dict[str, str]:
    """Fill the form with what the checkout knows."""
    address = checkout.address
    values = {
        "email": checkout.email,
        "country": _default_country(checkout.currency),
        "consent_reminders": "on" if checkout.consent_reminders else "",
    }
    if address:
        values |= {name: getattr(address, name) for name in NAMES if name != "email"}
    return values


def errors(refusal: RejectedError) -> dict[str, str]:
    """Sort what was refused by field: the last part of its pointer is the field's name."""
    return {detail.pointer.rsplit("/", 1)[-1]: detail_words(detail) for detail in refusal.errors}


def fields(typed: Mapping[str, str], wrong: Mapping[str, str], *, currency: str) -> list[Field]:
    """Build the form's fields in order; `currency` is the checkout's, whose region says where it can be sent."""

    def field(name: str, label: str, autocomplete: str, **more: object) -> Field:
        return Field(name, label, typed.get(name, ""), wrong.get(name, ""), autocomplete, **more)  # type: ignore[arg-type]  # its own fields

    return [
        field("email", _("Email"), "email", kind="email", mode="email", hint=_("For the confirmation of your order.")),
        field("name", _("Full name"), "name"),
        field("line1", _("Address"), "address-line1"),
        field("line2", _("Address, second line"), "address-line2", is_optional=True),
        field("city", _("Town or city"), "address-level2"),
        field("postcode", _("Postcode"), "postal-code", is_short=True),
        field("country", _("Country"), "country", choices=_countries(countries_of(currency))),
    ]


def country_name(code: str) -> str:
    """Name a country in the active language."""
    return dict(_countries(COUNTRIES)).get(code, code)


def _default_country(currency: str) -> str:
    countries = countries_of(currency)
    return DEFAULT_COUNTRY if DEFAULT_COUNTRY in countries else min(countries)


def _countries(codes: frozenset[str]) -> tuple[tuple[str, str], ...]:
    names = Locale.parse(to_locale(get_language() or "en")).territories
    pairs = [(code, name) for code, name in names.items() if code in codes]
    return tuple(sorted(pairs, key=lambda pair: pair[1]))


def outcomes(chosen: str) -> list[Outcome]:
    """List the answers of the offline gateway."""
    texts = {
        "ok": (_("Approved"), _("The card is accepted at once.")),
        "declined": (_("Declined"), _("The bank refuses the card.")),
        "slow": (_("Slow bank"), _("The bank answers after about five seconds.")),
        "requires_action": (_("Bank asks you to confirm"), _("The bank wants you to confirm on its own page.")),
        "timeout_after_success": (
            _("Answer gets lost"),
            _("The money is taken, but the answer gets lost; the shop finds out."),
        ),
    }
    wanted = chosen if chosen in texts else "ok"
    return [Outcome(token, title, detail, token == wanted) for token, (title, detail) in texts.items()]


def is_hosted() -> bool:
    """Tell whether people pay on the provider's own page, so that there is nothing to choose here."""
    return conf().gateway != "fake"


def ways() -> tuple[str, ...]:
    """List the ways of paying that a form may name."""
    return (HOSTED,) if is_hosted() else OUTCOMES


def way_title(token: str) -> str:
    """Name the chosen way of paying."""
    if is_hosted():
        return _("Card or another way, on the next page")
    return _("Test payment: {how}").replace("{how}", outcome_title(token))


def outcome_title(token: str) -> str:
    """Name the chosen answer of the offline gateway."""
    return next((outcome.title for outcome in outcomes(token) if outcome.token == token), "")


def choose_words() -> str:
    """Ask for a choice."""
    return _("Choose how the test payment goes.")
