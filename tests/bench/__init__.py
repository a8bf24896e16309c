"""Benchmarks: run by `make bench`, never by the test suite. Every figure is a ratio taken in one run."""
