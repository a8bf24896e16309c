"""Settings by environment: base is what all share; dev, test and prod each start from it."""
