"""Payment gateways: one port, and behind it the offline gateway and Stripe."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from django.conf import settings

from shop.checkout.conf import StripeConf
from shop.checkout.gateways.fake import FakeGateway
from shop.checkout.gateways.port import Gateway

_FAKE = FakeGateway()


def gateway(name: str) -> Gateway:
    """Find a gateway by its name.

    :raises KeyError: if there is none of this name, or the shop has no key for it.
    """
    if name == _FAKE.name:
        return _FAKE
    if is_known(name):
        return _stripe(settings.STRIPE)
    raise KeyError(name)


def is_known(name: str) -> bool:
    """Tell whether there is a gateway of this name that the shop can ask."""
    return name == _FAKE.name or (name == "stripe" and bool(settings.STRIPE.secret_key))


@lru_cache(maxsize=8)
def _stripe(of: StripeConf) -> Gateway:
    """Connect to an account, once a process. Its library takes its time to load: only shops that use it do so."""
    made: Gateway = import_module("shop.checkout.gateways.stripe").StripeGateway(of)
    return made
