"""What it costs: prices and quotes."""
