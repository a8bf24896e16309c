"""Words for refusals: one singledispatch function, to which each app's `messages.py` adds its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from shop.core.errors import (
    BusyError,
    ConflictError,
    ErrorDetail,
    NotFoundError,
    Refusal,
    RejectedError,
    TooOftenError,
    UnavailableError,
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a person reads: `title` is the same for every case of one code, `detail` is about this one."""

    title: str
    detail: str


@singledispatch
def words(refusal: Refusal) -> Words:
    """Put a refusal into words of the active language. Apps register their own classes in `messages.py`."""
    return Words(_("Not possible"), _("This is not possible right now."))


@words.register
def _not_found(refusal: NotFoundError) -> Words:
    return Words(_("Not found"), _("There is nothing here, or it is not yours."))


@words.register
def _rejected(refusal: RejectedError) -> Words:
    return Words(_("Please check your entries"), _("Some of what was sent is not valid."))


@words.register
def _conflict(refusal: ConflictError) -> Words:
    return Words(_("Not possible now"), _("Something has changed in the meantime. Nothing was done."))


@words.register
def _unavailable(refusal: UnavailableError) -> Words:
    return Words(
        _("Try again in a moment"), _("A part of the shop cannot answer right now. Please try again in a minute.")
    )


@words.register
def _busy(refusal: BusyError) -> Words:
    return Words(_("Very busy"), _("Many people want this item right now. Please try again in a few seconds."))


DETAIL_WORDS: dict[str, str | Promise] = {}
"""`ErrorDetail.code` → a message with named placeholders (`gettext_lazy`); apps add theirs in `messages.py`."""


def detail_words(detail: ErrorDetail) -> str:
    """Put one wrong part into words, with its numbers filled in by plain substitution."""
    template = DETAIL_WORDS.get(detail.code)
    if template is None:
        return _("This value is not valid.")
    text = str(template)
    for name, value in detail.params.items():
        text = text.replace("{" + name + "}", str(value))
    return text


@words.register
def _too_often(refusal: TooOftenError) -> Words:
    return Words(_("Too many requests"), _("Please wait a little before trying again."))
