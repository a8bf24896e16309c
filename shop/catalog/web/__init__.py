"""Catalogue pages: what shoppers see."""
