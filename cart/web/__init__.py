"""Cart pages: what shoppers see."""
