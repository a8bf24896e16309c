"""Sources of the mails in MJML. `make mails` makes the templates of them, which are committed beside them.

A source holds Django's tags where the template shall have them: between blocks they stand in `<mj-raw>`.
"""

from __future__ import annotations

from pathlib import Path

SOURCES = Path(__file__).parent
TEMPLATES = SOURCES.parent / "templates" / "notifications" / "mail"
_HEAD = (
    "{{# Made of notifications/mails/{name} by `make mails`: change that. #}}"
    "{{% load i18n %}}{{% get_current_language_bidi as is_rtl %}}"
)


def compiled() -> dict[Path, str]:
    """Compile each source: what its template has to be, by the template's path. Needs the tools of development.

    :raises ValueError: if a source is no MJML, or would load something from elsewhere.
    """
    import mrml  # noqa: PLC0415 - a tool of development: production has the templates

    found = {}
    for source in sorted(SOURCES.glob("*.mjml")):
        try:
            output = mrml.to_html(source.read_text(encoding="utf-8"))
        except OSError as error:  # what the compiler raises
            msg = f"{source.name}: {error}"
            raise ValueError(msg) from error
        if output.warnings or "fonts.googleapis" in output.content:
            msg = f"{source.name}: {output.warnings or 'a font from elsewhere'}"
            raise ValueError(msg)
        found[TEMPLATES / f"{source.stem}.html"] = _HEAD.format(name=source.name) + output.content + "\n"
    return found
