"""The cart for programs."""
