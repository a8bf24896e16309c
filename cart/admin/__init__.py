"""Staff's pages of carts: to find and to read. Nobody edits a shopper's cart, and no token is ever shown."""

from cart.admin import carts, lists

__all__ = ["carts", "lists"]
