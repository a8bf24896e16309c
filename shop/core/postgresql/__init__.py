"""Django's PostgreSQL backend, with a pool that looks for signs of death before it asks a connection if it lives."""
