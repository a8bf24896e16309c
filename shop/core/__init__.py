"""What every app stands on: refusals, money, the clock, Redis, problems. It has no models and knows no app."""
