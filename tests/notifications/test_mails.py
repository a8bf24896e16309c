"""Mails are made of their sources, and look the same to everybody who gets them."""

from __future__ import annotations

import re

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from notifications import mails


def test_the_committed_templates_are_what_their_sources_compile_to() -> None:
    made = mails.compiled()
    assert {path.name for path in made} == {"_frame.html", "cart_reminder.html", "saved_news.html"}
    for path, content in made.items():
        assert path.read_text(encoding="utf-8") == content, f"{path.name} is not what its source says: make mails"


@pytest.mark.parametrize("name", ["_frame", "cart_reminder", "saved_news"])
def test_a_mail_loads_nothing_from_elsewhere_and_knows_dark_and_right_to_left(name: str) -> None:
    with translation.override("ar"):
        html = render_to_string(f"notifications/mail/{name}.html", {"language": "ar", "subject": "S", "preheader": "P"})
    assert not re.findall(r"(?:src|<link[^>]*href|@import|url\()[^>]*https?://", html)
    assert "prefers-color-scheme: dark" in html
    assert 'name="color-scheme" content="light dark"' in html
    assert 'lang="ar"' in html
    assert 'dir="rtl"' in html
    assert "direction:ltr" not in html
    assert "text-align:right" in html
    assert "Made of" not in html
