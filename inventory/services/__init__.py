"""Writes of inventory: one function a use case."""

from inventory.services.adjusting import adjust
from inventory.services.ending import commit, release, release_owner, sweep
from inventory.services.extending import pin, renew
from inventory.services.heating import mark_hot, publish_hot
from inventory.services.importing import adjust_many
from inventory.services.opening import change_location, open_location
from inventory.services.pruning import prune_reservations
from inventory.services.repairing import repair_drift
from inventory.services.reserving import reserve, reserve_ahead
from inventory.services.staffing import add_time, recount, release_by_staff

__all__ = [
    "add_time",
    "adjust",
    "adjust_many",
    "change_location",
    "commit",
    "mark_hot",
    "open_location",
    "pin",
    "prune_reservations",
    "publish_hot",
    "recount",
    "release",
    "release_by_staff",
    "release_owner",
    "renew",
    "repair_drift",
    "reserve",
    "reserve_ahead",
    "sweep",
]
