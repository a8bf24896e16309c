"""The cart page of a guest whose cart is in the browser: a frame, and the words that its script fills in."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cart.conf import conf
from cart.offers import currency


def render_client(request: HttpRequest) -> HttpResponse:
    """Render the frame; the server knows nothing of the cart, and is told nothing."""
    context = {
        "words": _words(),
        "facts": {
            "currency": currency(),
            "locale": get_language() or "en-gb",
            "most": conf().max_quantity,
            "saved": conf().max_saved,
            "lines": conf().max_lines,
        },
        "reserve_minutes": settings.INVENTORY.soft_ttl_seconds // 60,
        "units": None,
        "has_bar": False,
    }
    return render(request, "cart/client.html", context)


def _words() -> dict[str, str]:
    return {
        "minus": _("One {title} less"),
        "plus": _("One {title} more"),
        "quantity": _("Quantity of {title}"),
        "save": _("Save {title} for later"),
        "remove": _("Remove {title}"),
        "move": _("Move {title} to cart"),
        "unsave": _("Remove {title} from the saved list"),
        "each": _("{price} each"),
        "items": _("Items ({count})"),
        "savedHeading": _("Saved for later ({count})"),
        "count": _("Quantity: {count}"),
        "set": _("{title}: {count}. Subtotal {total}."),
        "removed": _("Removed {title}."),
        "saved": _("Saved {title} for later."),
        "moved": _("Moved {title} to your cart."),
        "undoWhat": _("Undo: {what}"),
        "undone": _("{title} is back in your cart."),
        "back": _("{title} is back on your saved list."),
        "cleared": _("Notices cleared."),
        "oneChanged": _("1 thing changed since your last visit"),
        "changed": _("{count} things changed since your last visit"),
        "up": _("Price up {difference}. It was {was} when you added it; it is {now} now."),
        "down": _("Price down {difference}. It was {was} when you added it; it is {now} now."),
        "brief_up": _("Price up {difference}. It was {was}."),
        "brief_down": _("Price down {difference}. It was {was}."),
        "short": _("Only {count} left. You have {have} in your cart."),
        "left": _("Only {count} left."),
        "most": _("{count} is the most of one item."),
        "fix": _("Change to {count}"),
        "out": _("Out of stock. Save it for later, or remove it to check out."),
        "outSaved": _("Out of stock"),
        "reserved": _("All reserved by other shoppers. Some may come back."),
        "gone": _("{title} is no longer sold. It is not in your total."),
        "blocked": _("To check out, first see to: {names}."),
        "cart_saved_full": _("A saved list takes {count} different items. Remove one first."),
        "cart_full": _("A cart takes {count} different items. Remove one first."),
        "damaged": _("What this browser kept of your cart was damaged. Left out: {names}."),
        "unknown": _("an unknown item"),
        "checking": _("Checking prices and stock…"),
        "checked": _("Prices and stock are those of now."),
        "failed": _("Prices cannot be shown now. Try again."),
        "wrong": _("Enter a whole number from 0 to {count}."),
        "lost": _("Not saved. Check your connection and try again."),
    }
