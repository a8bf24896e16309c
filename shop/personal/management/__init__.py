"""Management commands about customers' data."""
