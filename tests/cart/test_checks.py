"""What is refused of the carts' server before a shop opens with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import Settings

from cart import selectors
from cart.checks import the_server_is_new_enough, the_server_is_not_open_to_the_network


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("redis://cart.example.com/0", ["cart.E003"]),
        ("rediss://cart.example.com:6390/0", ["cart.E003"]),
        ("redis://user@cart.example.com/0", ["cart.E003"]),
        ("redis://10.0.0.7/0", ["cart.E003"]),
        ("redis://:secret@cart.example.com/0", []),
        ("redis://user:secret@10.0.0.7/0", []),
        ("redis://127.0.0.1:6390/0", []),
        ("redis://localhost/0", []),
        ("redis://[::1]:6379/0", []),
        ("unix:///run/redis.sock?db=1", []),
    ],
)
def test_a_server_elsewhere_needs_a_password(settings: Settings, url: str, faults: list[str]) -> None:
    settings.CART = replace(settings.CART, redis_url=url)
    found = the_server_is_not_open_to_the_network()
    assert [fault.id for fault in found] == faults
    assert not [fault for fault in found if "cart.example.com" in fault.msg or "10.0.0.7" in fault.msg]


@pytest.mark.parametrize(
    ("versions", "faults"),
    [
        (["6.0.16"], ["cart.E004"]),
        (["6.2.19"], ["cart.W001"]),
        (["6.2.20"], []),
        (["7.0.15"], ["cart.W001"]),
        (["7.2.10"], ["cart.W001"]),
        (["7.2.11"], ["cart.W002"]),
        (["7.4.6"], ["cart.W002"]),
        (["8.0.3"], ["cart.W001"]),
        (["8.0.4"], ["cart.W002"]),
        (["8.1.0"], ["cart.W001"]),
        (["8.2.1"], ["cart.W001"]),
        (["8.2.2"], ["cart.W002"]),
        (["8.6.2"], ["cart.W002"]),
        (["8.6.3"], []),
        (["255.255.255"], []),
        (["7.2.11", "6.0.0"], ["cart.E004", "cart.W002"]),
        ([], []),
    ],
)
def test_an_old_server_is_refused_and_one_that_may_be_unsafe_named(
    monkeypatch: pytest.MonkeyPatch, versions: list[str], faults: list[str]
) -> None:
    monkeypatch.setattr(selectors, "server_versions", lambda: frozenset(versions))
    assert [fault.id for fault in the_server_is_new_enough()] == faults


def test_a_real_server_tells_its_version(cart_redis: object) -> None:
    assert [version.split(".")[0].isdecimal() for version in selectors.server_versions()] == [True]
