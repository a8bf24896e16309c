"""Settings of pricing (`PRICING_…`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from pricing.types import Region
from shop.core.settings import require

_REGION = re.compile(r"([a-z][a-z0-9-]{0,19})=([^:;=]{1,40}):([A-Z]{3})(?::([A-Z]{2}(?:,[A-Z]{2})*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PricingConf:
    """What a shop may set."""

    currency: str = "GBP"
    """The currency of carts, ISO 4217."""
    regions: str = ""
    """Where people shop, separated by semicolons, the default first: `code=Name:CUR:GB,IE`. Countries may be left out.
    Empty: one region, in `currency`."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(
            len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper(),  # noqa: PLR2004 - ISO 4217
            "PRICING_CURRENCY",
            "must be an ISO 4217 code in capitals, such as GBP.",
        )
        found = _read(self.regions)
        require(
            found is not None,
            "PRICING_REGIONS",
            "must be regions such as uk=United Kingdom:GBP:GB,IM; eu=Europe:EUR:DE,FR, each code once.",
        )
        require(
            not found or found[0].currency == self.currency,
            "PRICING_REGIONS",
            "the first region is the default one, so its currency must be PRICING_CURRENCY.",
        )

    def list_regions(self) -> tuple[Region, ...]:
        """List the regions, the default one first; there is at least one."""
        return _read(self.regions) or (Region("", "", self.currency),)


def conf() -> PricingConf:
    """Give the settings in force."""
    return settings.PRICING


@lru_cache(maxsize=8)
def _read(text: str) -> tuple[Region, ...] | None:
    """Read regions; None if they are not well formed."""
    if not text.strip():
        return ()
    found = [_REGION.fullmatch(part.strip()) for part in text.strip().removesuffix(";").split(";")]
    regions = tuple(Region(m[1], m[2].strip(), m[3], frozenset((m[4] or "").split(",")) - {""}) for m in found if m)
    is_whole = len(regions) == len(found) == len({region.code for region in regions})
    return regions if is_whole and all(region.name for region in regions) else None
