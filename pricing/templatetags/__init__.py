"""Tags of pricing for the shop's pages."""
