"""What there is: stock, reservations, ledger."""
