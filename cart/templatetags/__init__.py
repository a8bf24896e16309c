"""Template tags of the cart."""
