"""Staff's pages of checkout: what is bought, and what was paid."""

from shop.checkout.admin import orders, payments  # noqa: F401 - they register themselves
