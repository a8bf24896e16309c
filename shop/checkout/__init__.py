"""From cart to order: checkout, payment, order."""
