"""Checkouts, payments and orders for programs."""
