"""Tests of the settings of each environment."""
