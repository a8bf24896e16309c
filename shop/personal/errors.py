"""Refusals about customers' data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import NotFoundError


@dataclass(eq=False)
class CustomerUnknownError(NotFoundError):
    """No customer of this number, or a member of staff; or nobody who ever bought with this mail address."""

    code: ClassVar[str] = "customer_unknown"
