"""Money: integer minor units and a currency. Never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, total_ordering

from babel.numbers import format_currency, get_currency_precision


@lru_cache(maxsize=500)
def _is_code(currency: str) -> bool:
    # Asked for every amount there is, of the same few texts.
    return len(currency) == 3 and currency.isascii() and currency.isupper()  # noqa: PLR2004 - ISO 4217


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the smallest unit of its currency (pence, cents; whole yen; fils are thousandths)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse floats and currencies that are not three capital letters."""
        if type(self.minor) is not int:
            msg = f"minor must be an int, not {type(self.minor).__name__}"
            raise TypeError(msg)
        if not _is_code(self.currency):
            msg = f"not an ISO 4217 currency code: {self.currency!r}"
            raise ValueError(msg)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            msg = f"{self.currency} and {other.currency} do not mix"
            raise ValueError(msg)

    def __add__(self, other: Money) -> Money:
        """Add an amount of the same currency."""
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        """Subtract an amount of the same currency; the difference may be negative."""
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        """Turn the sign round."""
        return Money(-self.minor, self.currency)

    def __mul__(self, quantity: int) -> Money:
        """Multiply by a whole quantity."""
        if type(quantity) is not int:
            msg = "money is multiplied by whole quantities only"
            raise TypeError(msg)
        return Money(self.minor * quantity, self.currency)

    def __abs__(self) -> Money:
        """Drop the sign."""
        return Money(abs(self.minor), self.currency)

    def __lt__(self, other: Money) -> bool:
        """Compare amounts of one currency."""
        self._same(other)
        return self.minor < other.minor

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-get_currency_precision(self.currency))

    def format(self, locale: str) -> str:
        """Write the amount as people of `locale` (such as `en_GB`) do.

        The digits after the point are the currency's own (CLDR, through Babel): 2 for GBP, 0 for JPY, 3 for KWD.
        """
        return _written(self, locale)


@lru_cache(maxsize=10_000)
def _written(amount: Money, locale: str) -> str:
    # The same few prices are written over and over.
    return format_currency(amount.decimal, amount.currency, locale=locale)


def total(amounts: tuple[Money, ...] | list[Money], currency: str) -> Money:
    """Add up amounts of one currency; nothing adds up to zero."""
    for other in {amount.currency for amount in amounts} - {currency}:
        msg = f"{currency} and {other} do not mix"
        raise ValueError(msg)
    return Money(sum([amount.minor for amount in amounts]), currency)
