"""Private PostgreSQL and Redis servers for the demo and the tests, and what keeps processes together."""
