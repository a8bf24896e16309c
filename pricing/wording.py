"""What staff read of price deltas, on the pages of this app and of others."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: Mapping[str, Promise] = {
    "price": _("price"),
    "segment": _("segment"),
    "promotion": _("promotion"),
    "code": _("discount code"),
    "currency": _("currency"),
    "lock_expired": _("price lock over"),
}
"""Why a line costs something else than when it was added, by the reason's code."""
