"""For the frame of every page: which regions there are to choose from, and which one is chosen."""

from __future__ import annotations

from django import template

from pricing import regions
from pricing.types import Region

register = template.Library()


@register.simple_tag
def current_region() -> str:
    """Give the code of the visitor's region; empty where there is no choice."""
    return regions.current().code if regions.are_many() else ""


@register.simple_tag
def list_regions() -> tuple[Region, ...]:
    """List the shop's regions."""
    return regions.list_regions()
