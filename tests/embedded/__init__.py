"""Tests of the embedded servers and of what keeps processes together."""
