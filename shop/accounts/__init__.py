"""Customers: who is signed in."""
