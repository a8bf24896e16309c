"""What shoppers read is there in every language that the shop ships."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.template import Template
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(ROOT.glob("locale/*/LC_MESSAGES/django.po"))
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), (1,)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
}
(_LEFT_OUT,) = re.findall(r"^NOT_FOR_SHOPPERS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
PLACES = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%|</?\w+>")
Text = str | tuple[str, ...]


def files(pattern: str) -> Iterator[Path]:
    """Find what `make messages` reads."""
    for top in ("cart", "pricing", "inventory", "notifications", "shop", "templates"):
        for path in (ROOT / top).rglob(pattern):
            if not any(fnmatch.fnmatch(str(path.relative_to(ROOT)), left_out) for left_out in _LEFT_OUT.split()):
                yield path


def in_code() -> Iterator[tuple[Text, Path]]:
    """Find the texts of Python files."""
    for path in files("*.py"):
        with path.open("rb") as source:
            for _line, text, _comments, _context in extract("python", source, KEYWORDS):
                yield text, path


def in_templates() -> Iterator[tuple[Text, Path]]:
    """Find the texts of templates."""
    for path in (*files("*.html"), *files("*.txt")):
        nodes = Template(path.read_text()).nodelist
        for node in nodes.get_nodes_by_type(TranslateNode):
            assert isinstance(node, TranslateNode)
            yield node.filter_expression.var.literal or str(node.filter_expression.var.var), path
        for node in nodes.get_nodes_by_type(BlockTranslateNode):
            yield block_text(node), path


def block_text(node: Node) -> Text:
    """Give what a block is looked up by."""
    assert isinstance(node, BlockTranslateNode)
    singular, _names = node.render_token_list(node.singular)
    singular = " ".join(line.strip() for line in singular.strip().splitlines()) if node.trimmed else singular
    if not node.plural:
        return singular
    plural, _names = node.render_token_list(node.plural)
    return singular, " ".join(line.strip() for line in plural.strip().splitlines()) if node.trimmed else plural


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_that_shoppers_read_is_translated(catalogue: Path) -> None:
    with catalogue.open("rb") as source:
        known = {message.id: message for message in read_po(source) if message.id and not message.fuzzy}
    found = [*in_code(), *in_templates()]
    missing = sorted({f"{path.relative_to(ROOT)}: {text}" for text, path in found if text not in known})
    empty = [text for text, message in known.items() if not all(_all(message.string))]

    assert len(found) > 600
    assert not missing, "make messages, then translate:\n" + "\n".join(missing)
    assert not empty
    for text, message in known.items():
        for one, other in zip(_all(text), _all(message.string), strict=True):
            assert sorted(PLACES.findall(one)) == sorted(PLACES.findall(other)), text


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parts[-3])
def test_what_is_compiled_is_what_is_written(catalogue: Path) -> None:
    with catalogue.open("rb") as source, catalogue.with_suffix(".mo").open("rb") as compiled:
        written, used = read_po(source), read_mo(compiled)
    strings = [{_all(m.id): _all(m.string) for m in book if m.id} for book in (written, used)]

    assert strings[0] == strings[1], "make messages"


def _all(text: Text | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())
