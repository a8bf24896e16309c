"""Generated pictures."""

from __future__ import annotations

import re
import struct
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from shop.catalog import pictures
from shop.catalog.demo.assortment import assortment
from shop.catalog.errors import PictureUnknownError
from shop.catalog.pictures.drawing import motif_of, motifs


def test_every_picture_of_the_demo_is_small_clean_svg_with_a_motif_of_its_own() -> None:
    names = {pictures.picture_name(product.slug, sku.options) for product in assortment() for sku in product.skus}
    assert len(names) > 250

    for name in names:
        svg = pictures.draw(name)
        assert len(svg.encode()) <= 8_000
        assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own text
        assert not re.search(r"style|script|href|on\w+=", svg)
        assert motif_of(name.split("--")[0].split("-")) != "parcel", name


def test_stand_in_colours_are_all_replaced() -> None:
    for name in motifs():
        svg = pictures.draw(f"{name}--teal")
        assert not re.search("#(778899|AABBCC|445566|CC9966|334455|FFEEDD)", svg), name


def test_a_picture_depends_on_nothing_but_its_name() -> None:
    assert pictures.draw("enamel-mug--slate") == pictures.draw("enamel-mug--slate")
    assert pictures.draw("enamel-mug--slate") != pictures.draw("enamel-mug--cream")
    assert pictures.draw("enamel-mug") != pictures.draw("enamel-jug")


def test_two_words_that_belong_together_say_more_than_the_last() -> None:
    assert motif_of(["brass", "desk", "lamp"]) == "desklamp"
    assert motif_of(["linen", "table", "lamp"]) == "lamp"
    assert motif_of(["soap", "dish"]) == "dish"


def test_an_unknown_thing_is_a_parcel_and_an_unknown_colour_a_quiet_one() -> None:
    assert motif_of(["quantum", "widget"]) == "parcel"
    assert pictures.draw("quantum-widget--octarine") == pictures.draw("quantum-widget")


def test_a_picture_is_named_by_its_colour() -> None:
    options = [("Size", "350 ml"), ("Colour", "Sky blue")]

    assert pictures.picture_url("enamel-mug", options) == "/pictures/enamel-mug--sky-blue.svg?v=1"
    assert pictures.picture_url("enamel-mug") == "/pictures/enamel-mug.svg?v=1"


@pytest.mark.parametrize("name", ["", "-", "a--", "../x", "a b", "<svg>", "é", "a" * 161, "a\n", "a\x00"])
def test_a_name_that_no_product_has_is_refused(name: str) -> None:
    with pytest.raises(PictureUnknownError):
        pictures.draw(name)


def test_mail_programs_get_the_same_picture_as_a_small_bitmap(client: Client) -> None:
    answer = client.get(pictures.picture_url("enamel-mug", [("Colour", "Slate")]).replace(".svg", ".png"))
    assert answer["Content-Type"] == "image/png"
    assert "immutable" in answer["Cache-Control"]
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", answer.content[16:24]) == (144, 144)
    assert len(answer.content) < 10_000
    assert answer.content != pictures.draw_bitmap("enamel-mug--cream")
    assert client.get("/pictures/no--such--name--at-all!.png").status_code == 404
