"""A plain shop of django-oscar with its REST API, for `tests.bench.peers`: run in an environment of its own."""
