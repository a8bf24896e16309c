"""Account pages: what shoppers see."""
