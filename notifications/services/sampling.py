"""Carts made up for a preview: names, amounts and lines that a mail must bear, before any customer has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.models import Step
from notifications.rules import Facts
from notifications.services import reminders
from notifications.services.judging import Case
from notifications.types import Letter, ReminderLine
from shop.catalog import selectors as catalog
from shop.core.money import Money

_LINES = 3
_IN_THE_DARK = re.compile(r"@media \(prefers-color-scheme: ?dark\)")
_MEDIA = {"light": "not all", "dark": "all"}
_RIGHT_TO_LEFT = (
    "كوب مطلي بالمينا، ٣٥٠ مل، أزرق داكن",
    "מחברת כיס, נייר ממוחזר, 128 עמודים",
    "وشاح من الصوف الخالص، رمادي فاتح",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a made-up cart is like."""

    name: str | Promise
    lines: int = _LINES
    currency: str = ""
    """Empty: the shop's own."""
    price_minor: int = 1_250
    has_long_names: bool = False
    is_right_to_left: bool = False
    has_fallen: bool = False
    """It cost more when it was put into the cart."""


SAMPLES: Mapping[str, Sample] = {
    "few": Sample(_("Three items")),
    "one": Sample(_("One item"), lines=1),
    "many": Sample(_("Twenty items with long names"), lines=20, has_long_names=True),
    "rtl": Sample(_("Names from right to left"), is_right_to_left=True),
    "fallen": Sample(_("Prices that fell"), has_fallen=True),
    "jpy": Sample(_("Yen: no decimals"), currency="JPY", price_minor=1_980),
    "kwd": Sample(_("Dinars: three decimals"), currency="KWD", price_minor=12_345),
}


def preview(*, step: Step, name: str, language: str, scheme: str = "", now: datetime) -> Letter | None:
    """Render a step for a made-up cart of the shop's own items; None if there is no such sample, or nothing is sold.

    With the scheme `light` or `dark` it looks as in that, whatever the looker's own is.
    """
    sample = SAMPLES.get(name)
    case = _case(sample, now) if sample else None
    if case is None:
        return None
    letter = reminders.sample(step=step, case=case, language=language)
    if scheme not in _MEDIA:
        return letter
    return replace(letter, html=_IN_THE_DARK.sub(f"@media {_MEDIA[scheme]}", letter.html))


def _case(sample: Sample, now: datetime) -> Case | None:
    cards = catalog.list_skus(query="", limit=sample.lines, cursor="").skus
    currency = sample.currency or settings.PRICING.currency
    lines = []
    for place in range(sample.lines if cards else 0):
        card = cards[place % len(cards)]
        if sample.has_long_names:
            card = replace(card, title=" – ".join([card.title] * 4)[:200])
        if sample.is_right_to_left:
            card = replace(card, title=_RIGHT_TO_LEFT[place % len(_RIGHT_TO_LEFT)])
        price = Money(sample.price_minor * (place + 1), currency)
        lines.append(
            ReminderLine(
                card=card,
                quantity=place + 1,
                unit_price=price,
                price_at_add=price + price if sample.has_fallen else price,
            )
        )
    return Case(facts=Facts(now=now), lines=tuple(lines)) if lines else None
