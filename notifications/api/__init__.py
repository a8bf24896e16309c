"""The customer's preferences for programs."""
