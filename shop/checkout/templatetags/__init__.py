"""Template tags of checkout."""
