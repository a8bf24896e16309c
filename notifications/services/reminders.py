"""Write a reminder: prices and stock of this moment, words in the customer's language, links that sign nobody in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from notifications import links
from notifications.conf import conf, link_base
from notifications.links import Purpose
from notifications.models import Message, Step
from notifications.services import granting, rendering
from notifications.services.granting import Offered
from notifications.services.judging import Case, total_of
from notifications.types import Letter
from shop.accounts.selectors import Contact
from shop.checkout.following import BuyerProfile
from shop.checkout.messages import format_money

MOST_LINES = 5
STREAM = "cartrec"
_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class _Urls:
    """The links of one mail."""

    restore: str
    unsubscribe: str
    preferences: str
    shop: str
    trap: str = ""
    """A link that no reader sees, only programs that follow all of them."""
    pixel: str = ""
    """A picture that tells when the mail is opened; empty for who has not agreed to that."""


def letter(
    *, message: Message, case: Case, contact: Contact | None, profile: BuyerProfile, offer: Offered | None = None
) -> Letter:
    """Render a reminder. The language of whoever works here comes back afterwards."""
    if message.step is None or contact is None:
        msg = "a reminder has a step and a recipient"
        raise ValueError(msg)
    link_id = links.new_link(message.public_id)
    urls = _urls(message.step, link_id, counts_opens=case.counts_opens)
    rendered = render(step=message.step, case=case, language=profile.language, urls=urls, offer=offer)
    variant = message.step.variant
    return Letter(
        recipient=contact.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        language=rendered.language,
        sender=conf().from_address,
        reply_to=conf().reply_to,
        tag=f"{variant.campaign.slug}-{variant.key}-s{message.step.number}",
        headers=(
            *list_headers("Cart reminders", link_id),
            ("Feedback-ID", f"{variant.campaign.slug}:{variant.key}-s{message.step.number}:{STREAM}:{_sender_id()}"),
        ),
    )


def list_headers(name: str, link_id: bytes) -> tuple[tuple[str, str], ...]:
    """Give the headers by which mail programs know mails of one kind, and end them with one click (RFC 8058)."""
    return (
        ("List-Id", f"{name} <{name.lower().replace(' ', '-')}.{conf().list_id or sending_domain()}>"),
        ("List-Unsubscribe", ", ".join(f"<{url}>" for url in opt_outs(link_id))),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def envelope(letter_: Letter, *, public_id: str, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    """Put a reminder into an envelope.

    :raises BadHeaderError: if a header would hold a line break.
    """
    return rendering.mail(letter_, public_id=public_id, connection=connection)


def sample(*, step: Step, case: Case, language: str = "") -> Letter:
    """Render a step for staff to look at: its links lead to the shop, and none of them belongs to anybody."""
    home = f"{link_base()}/"
    return render(
        step=step,
        case=case,
        language=language,
        urls=_Urls(home, home, home, home),
        offer=granting.sample(
            step,
            currency=case.lines[0].unit_price.currency if case.lines else settings.PRICING.currency,
            now=case.facts.now,
        ),
    )


def render(*, step: Step, case: Case, language: str, urls: _Urls, offer: Offered | None) -> Letter:
    """Render a step's words and lines as HTML and as text, each from the same values."""
    with translation.override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        lines = [
            {
                "title": line.card.title,
                "picture": link_base() + line.card.bitmap_url,
                "quantity": line.quantity,
                "unit_price": format_money(line.unit_price),
                "total": format_money(line.line_total),
                "saved": format_money(line.saved) if line.saved else "",
            }
            for line in case.lines[:MOST_LINES]
        ]
        names = {"item": case.lines[0].card.title if case.lines else "", "shop": _("Trolley")}
        subject = " ".join(_fill(step.subject or _("Your cart is still here: {item}"), names).split())[:200]
        context: dict[str, Any] = {
            "subject": subject,
            "preheader": _fill(step.preheader or _("Nothing is reserved yet, and nothing is lost."), names),
            "heading": _fill(step.heading or _("You left something in your cart"), names),
            "text": _fill(
                step.text or _("Here is what is in it, at today's prices. One click brings you back to it."), names
            ),
            "button": _fill(step.button or _("Go back to your cart"), names),
            "lines": lines,
            "more": max(0, len(case.lines) - MOST_LINES),
            "total": format_money(total_of(case)) if case.lines else "",
            "urls": urls,
            "offer": offer,
            "offer_amount": format_money(offer.off.amount) if offer and offer.off.amount else "",
            "offer_least": format_money(offer.off.least) if offer and offer.off.least else "",
            "offer_until": date_format(offer.valid_until, _("j F Y")) if offer else "",
            "postal_address": conf().postal_address,
            "language": translation.get_language() or settings.LANGUAGE_CODE,
        }
        return Letter(
            recipient="",
            subject=subject,
            text=render_to_string("notifications/mail/cart_reminder.txt", context),
            html=render_to_string("notifications/mail/cart_reminder.html", context),
            language=str(context["language"]),
        )


def shown(case: Case) -> dict[str, Any]:
    """Give what is kept of a mail: what it said of lines and prices."""
    return {
        "lines": [
            {"sku_id": line.card.sku_id, "quantity": line.quantity, "unit_price_minor": line.unit_price.minor}
            for line in case.lines
        ],
        "currency": case.lines[0].unit_price.currency if case.lines else "",
        "total_minor": total_of(case).minor if case.lines else 0,
        **({"counts_opens": True} if case.counts_opens else {}),
    }


def opt_outs(link_id: bytes) -> tuple[str, ...]:
    """List the URLs of `List-Unsubscribe`: by link, and by mail where the provider reads that mailbox."""
    by_mail = (f"mailto:{links.mailbox(link_id)}",) if conf().unsubscribe_mailbox else ()
    return (f"{link_base()}/e/u/{links.token(Purpose.UNSUBSCRIBE, link_id)}", *by_mail)


def sending_domain() -> str:
    """Tell the domain that reminders come from."""
    return parseaddr(conf().from_address or settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _urls(step: Step, link_id: bytes, *, counts_opens: bool) -> _Urls:
    base, variant = link_base(), step.variant
    utm = {
        "utm_source": "shop-notifications",
        "utm_medium": "email",
        "utm_campaign": variant.campaign.slug,
        "utm_id": f"{variant.campaign.slug}-{variant.campaign.pk}",
        "utm_content": f"{variant.key}-s{step.number}",
    }

    def tagged(path: str, slot: str) -> str:
        return f"{base}{path}?" + urlencode({**utm, "utm_content": f"{utm['utm_content']}-{slot}"})

    return _Urls(
        restore=tagged(f"/c/r/{links.token(Purpose.RESTORE, link_id)}", "cta"),
        unsubscribe=opt_outs(link_id)[0],
        preferences=f"{base}/e/p/{links.token(Purpose.PREFERENCES, link_id)}",
        shop=tagged("/", "logo"),
        trap=f"{base}/e/h/{links.token(Purpose.TRAP, link_id)}",
        pixel=f"{base}/e/o/{links.token(Purpose.OPEN, link_id)}.gif" if counts_opens else "",
    )


def _fill(text: str, names: dict[str, str]) -> str:
    """Put names into a text by plain substitution, in one go: neither text nor a name is ever a template."""
    return _PLACEHOLDER.sub(lambda found: names.get(found[1], found[0]), text)


def _sender_id() -> str:
    return "".join(char for char in sending_domain() if char.isalnum())[:15]
