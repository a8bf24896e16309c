"""Writes of inventory: one function a use case."""

from inventory.services.adjusting import adjust
from inventory.services.ending import commit, release, sweep
from inventory.services.extending import pin, renew
from inventory.services.repairing import repair_drift
from inventory.services.reserving import reserve

__all__ = ["adjust", "commit", "pin", "release", "renew", "repair_drift", "reserve", "sweep"]
