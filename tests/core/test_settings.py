"""Settings from the environment: an impossible value stops the start with a sentence that names it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.core.exceptions import ImproperlyConfigured

from shop.core.settings import load, require


@dataclass(frozen=True, slots=True)
class TeaConf:
    """Settings to try it with."""

    leaf: str
    minutes: int = 3
    milk: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(1 <= self.minutes <= 10, "TEA_MINUTES", "must be from 1 to 10.")


def test_unset_settings_keep_their_default() -> None:
    assert load(TeaConf, {"TEA_LEAF": "assam"}, prefix="TEA_") == TeaConf("assam", 3, milk=False)


def test_values_are_read_by_their_type() -> None:
    environment = {"TEA_LEAF": "assam", "TEA_MINUTES": "5", "TEA_MILK": "Yes", "OTHER": "ignored"}
    assert load(TeaConf, environment, prefix="TEA_") == TeaConf("assam", 5, milk=True)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "TEA_LEAF: must be set."),
        ({"TEA_LEAF": " "}, "TEA_LEAF: must be set."),
        ({"TEA_LEAF": "assam", "TEA_MINUTES": "soon"}, "TEA_MINUTES='soon': must be a whole number."),
        ({"TEA_LEAF": "assam", "TEA_MINUTES": "11"}, "TEA_MINUTES: must be from 1 to 10."),
        ({"TEA_LEAF": "assam", "TEA_MILK": "perhaps"}, "TEA_MILK='perhaps': must be true or false."),
        (
            {"TEA_LEAF": "assam", "TEA_MINUTE": "5"},
            "TEA_MINUTE: no such setting. Known: TEA_LEAF, TEA_MILK, TEA_MINUTES.",
        ),
    ],
)
def test_an_impossible_environment_is_refused_by_name(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        load(TeaConf, environment, prefix="TEA_")
    assert str(refusal.value) == sentence
