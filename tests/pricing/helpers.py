"""What the tests of pricing share."""

from __future__ import annotations

import io

from django.core.management import CommandError, call_command


def check_shop(*arguments: str) -> str:
    """Run the checks of uses; give what they print, or say as they fail."""
    out = io.StringIO()
    try:
        call_command("check_shop", "codes", "claims", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


REGIONS = "uk=United Kingdom:GBP:GB,IM; eu=Europe:EUR:DE,FR"
"""A shop in two currencies, for `PRICING_REGIONS`."""
