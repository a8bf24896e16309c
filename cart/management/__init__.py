"""Commands of the cart."""
