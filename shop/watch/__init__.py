"""Watching over the whole shop: checks, alerts for staff, metrics. In the composition root, so it may ask any app."""
