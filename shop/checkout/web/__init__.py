"""Checkout and order pages: what shoppers see."""
