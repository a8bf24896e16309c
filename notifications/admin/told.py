"""What one message said and what came of it, for whoever asks why."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.models import Attribution, DiscountGrant, MailEvent, Message
from notifications.types import TouchKind
from shop.checkout.messages import format_money
from shop.core.money import Money
from shop.core.staff import change_page

_NOTHING = "–"
_VISITS = {
    TouchKind.CLICK.value: gettext_lazy("its link was followed"),
    TouchKind.SCAN.value: gettext_lazy("its link was followed by a program"),
    TouchKind.RESTORE.value: gettext_lazy("the cart was restored"),
    TouchKind.OPEN.value: gettext_lazy("it was opened"),
    TouchKind.MACHINE_OPEN.value: gettext_lazy("its picture was fetched by a program"),
    TouchKind.TRAP.value: gettext_lazy("the hidden link was followed: a program was there"),
}
_MODELS = dict(Attribution.MODELS)
_NEWS = dict(MailEvent.KINDS)


def shown(message: Message) -> SafeString | str:
    """List the items of a mail with their prices then, and its code, which is not told; nothing once forgotten."""
    kept = message.shown or {}
    if items := kept.get("items"):
        rows = [(item["sku_id"], format_money(Money(item["price_minor"], item["currency"]))) for item in items]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", rows))
    if not kept.get("lines"):
        return _NOTHING
    currency = kept["currency"]
    lines = [
        (line["quantity"], line["sku_id"], format_money(Money(line["unit_price_minor"], currency)))
        for line in kept["lines"]
    ]
    return format_html(
        "<ul>{}<li><strong>{} {}</strong></li>{}</ul>",
        format_html_join("", "<li>{} × {}: {}</li>", lines),
        _("Total"),
        format_money(Money(kept["total_minor"], currency)),
        _code(message),
    )


def came_of_it(message: Message) -> SafeString | str:
    """List in order of time what is known of a message that went: news, visits, orders given to it (three queries)."""
    found: list[tuple[datetime, str, str, str]] = [
        (event.at, str(_NEWS[event.kind]), "", "") for event in message.mail_events.all()
    ]
    found += [(touch.at, str(_VISITS.get(touch.kind, touch.kind)), "", "") for touch in message.touches.all()]
    found += [
        (
            order.at,
            _("an order is given to it: %(model)s") % {"model": _MODELS[order.model]},
            change_page("checkout_order", order.order_number),
            order.order_number,
        )
        for order in message.attributions.all()
    ]
    if not found:
        return _NOTHING
    rows = [
        (_at(at), what, format_html('<a href="{}">{}</a>', url, name) if url else "")
        for at, what, url, name in sorted(found)
    ]
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} {}</li>", rows))


def _code(message: Message) -> SafeString | str:
    grant = DiscountGrant.objects.filter(message=message).first()
    if grant is None:
        return ""
    until = _("with a discount code until %(until)s") % {"until": _at(grant.valid_until)}
    void = _(", void since %(since)s") % {"since": _at(grant.voided_at)} if grant.voided_at else ""
    url = change_page("pricing_discountcode", str(grant.code_id))
    return format_html('<li><a href="{}">{}</a>{}</li>', url, until, void)


def _at(at: datetime) -> str:
    return date_format(timezone.localtime(at), "Y-m-d H:i:s")
