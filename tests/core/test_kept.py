"""Parts of pages that are drawn once."""

from __future__ import annotations

import pytest
from django.template import Context, Template
from django.test import override_settings
from django.utils.translation import override

from shop.core.templatetags import trolley

HEADER = Template('{% load trolley %}{% kept "_header.html" units=units %}')


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    trolley._kept.cache_clear()


def _draw(units: int | None) -> str:
    return HEADER.render(Context({"units": units}))


def test_a_part_is_drawn_once_for_its_values_and_language() -> None:
    assert ">3</span>" in _draw(3)
    assert _draw(3) == _draw(3)
    assert ">4</span>" in _draw(4)
    assert "badge" in _draw(None)
    assert (trolley._kept.cache_info().hits, trolley._kept.cache_info().misses) == (2, 3)
    with override("de"):
        _draw(3)
    assert trolley._kept.cache_info().misses == 4


@override_settings(DEBUG=True)
def test_nothing_is_kept_while_templates_are_being_written() -> None:
    _draw(3)
    assert trolley._kept.cache_info().currsize == 0
