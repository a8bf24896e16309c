"""Commands of checkout."""
