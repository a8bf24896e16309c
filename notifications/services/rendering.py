"""Turn a message's row into a mail: values read afresh, words in the language of the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from anymail.message import AnymailMessage
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import SafeMIMEMultipart, SafeMIMEText
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from notifications.conf import conf
from notifications.models import Message
from notifications.types import Letter, Template
from shop.checkout import access
from shop.checkout import selectors as checkout
from shop.checkout.messages import format_money

MESSAGE_KEY = "mid"
"""Under this name a provider keeps a message's public id, and tells it with its news."""


def letter(message: Message, *, now: datetime) -> Letter:
    """Render a message.

    The confirmation's link carries a fresh secret that shows this one order; links begin with `BASE_URL`.

    :raises OrderUnknownError: if its order is gone.
    :raises PaymentUnknownError: if its payment is gone.
    """
    if message.template_key == Template.REFUND.value:
        return _refund(message)
    return _confirmation(message, now)


class _Envelope(AnymailMessage):  # type: ignore[misc]  # anymail ships no types
    """A mail that is put together once: its headers are looked at before it is handed over, and the same bytes go."""

    built: SafeMIMEText | SafeMIMEMultipart | None = None

    def message(self) -> SafeMIMEText | SafeMIMEMultipart:
        if self.built is None:
            self.built = super().message()
        return self.built


def mail(letter_: Letter, *, public_id: str, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    """Put a letter into an envelope: plain text first, then HTML, with a fixed `Message-ID`.

    :raises BadHeaderError: if a header would hold a line break.
    """
    sender = letter_.sender or settings.DEFAULT_FROM_EMAIL
    domain = conf().message_id_domain or parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    envelope: EmailMultiAlternatives = _Envelope(
        subject=letter_.subject,
        body=letter_.text,
        from_email=sender,
        to=[letter_.recipient],
        reply_to=[letter_.reply_to] if letter_.reply_to else None,
        connection=connection,
        headers={
            "Message-ID": f"<{public_id}@{domain}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "OOF, AutoReply",
            "Content-Language": letter_.language,
            **dict(letter_.headers),
        },
        # For a provider's API; mail servers never see it. The shop counts its own clicks, and opens not at all.
        metadata={MESSAGE_KEY: public_id},
        track_clicks=False,
        track_opens=False,
        **({"tags": [letter_.tag]} if letter_.tag else {}),
    )
    envelope.attach_alternative(letter_.html, "text/html")
    envelope.message()  # a bad header or address is found here, before anything is handed over
    return envelope


def _confirmation(message: Message, now: datetime) -> Letter:
    order = checkout.get_order_for_mail(number=message.order_number)
    token = access.issue_token(number=order.number, now=now)
    with translation.override(_language(order.language)):
        values = {
            "order": order,
            "lines": [
                {"line": line, "unit_price": format_money(line.unit_price), "total": format_money(line.line_total)}
                for line in order.lines
            ],
            "discounts": [
                {"name": f"{d.name} ({d.label})" if d.label else d.name, "amount": format_money(d.amount)}
                for d in order.discounts
            ],
            "total": format_money(order.total),
            "link": settings.BASE_URL + reverse("orders:link", args=[token]),
        }
        subject = _("Your order %(number)s") % {"number": order.number}
        return _letter("order_confirmation", values, recipient=order.email, subject=subject)


def _refund(message: Message) -> Letter:
    notice = checkout.get_refund_for_mail(payment_id=message.payment_id)
    payment = notice.payment
    with translation.override(_language(notice.language)):
        facts = {"total": format_money(payment.amount), "number": payment.order_number}
        is_free = not payment.amount.minor
        values = {
            "why": _why_refunded(notice.reason, has_order=bool(payment.order_number)) % facts,
            "refunding": "" if is_free else _("We are refunding %(total)s in full.") % facts,
            "link": settings.BASE_URL + "/",
        }
        subject = _("We could not place your order") if is_free else _("We are refunding %(total)s") % facts
        return _letter("payment_refund", values, recipient=notice.email, subject=subject)


def _why_refunded(reason: str, *, has_order: bool) -> str:
    """Say why a payment is given back; staff's own reasons stay with staff."""
    match reason:
        case "sold_out":
            return _("Your payment arrived too late: what it was for had gone to somebody else.")
        case "code_used_up" | "promotion_used_up":
            return _("Your payment arrived too late: the discount in its price had been used up by others.")
        case "ordered_already":
            return _(
                "You had ordered and paid for this cart already. That order stands; this payment was one too many."
            )
        case "checkout_cancelled" | "quote_replaced":
            return _("Your payment arrived after its checkout was cancelled or changed, and became no order.")
        case _ if has_order:
            return _("This is about your payment for the order %(number)s.")
        case _:
            return _("This is about your payment in our shop.")


def _letter(name: str, values: Mapping[str, Any], *, recipient: str, subject: str) -> Letter:
    context = {**values, "subject": subject, "language": translation.get_language() or settings.LANGUAGE_CODE}
    return Letter(
        recipient=recipient,
        subject=subject,
        text=render_to_string(f"notifications/mail/{name}.txt", context),
        html=render_to_string(f"notifications/mail/{name}.html", context),
        language=context["language"],
    )


def _language(wanted: str) -> str:
    return wanted if wanted in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
