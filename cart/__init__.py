"""Who means to buy what: Redis first, PostgreSQL written through."""
