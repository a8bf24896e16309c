"""Payment gateways: one port, and the offline gateway behind it."""

from __future__ import annotations

from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Gateway

_GATEWAYS: dict[str, Gateway] = {FakeGateway.name: FakeGateway()}


def gateway(name: str) -> Gateway:
    """Find a gateway by its name.

    :raises KeyError: if there is none of this name.
    """
    return _GATEWAYS[name]


def is_known(name: str) -> bool:
    """Tell whether there is a gateway of this name."""
    return name in _GATEWAYS
