"""Products and SKUs: what can be shown and sold."""
