"""Products and SKUs for programs."""
