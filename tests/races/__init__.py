"""Races: rivals placed at one point, or met at a barrier; each with a twin whose guard is off."""
