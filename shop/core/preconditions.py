"""Entity tags: `"c{version}"` and, of an expanded answer, `"c{version}.{digest}"`."""

from __future__ import annotations

import re

from django.http import HttpRequest

from shop.core.problems import ApiProblem

NO_VERSION = -1
"""A version that nothing has: what a tag that is not ours stands for."""

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_OURS = re.compile(r"c(\d{1,19})(?:\.[0-9A-Za-z_-]+)?", re.ASCII)


def etag(version: int, digest: str = "") -> str:
    """Write the entity tag of a version; `digest` stands for what else the answer depends on."""
    return f'"c{version}.{digest}"' if digest else f'"c{version}"'


def is_unchanged(request: HttpRequest, tag: str) -> bool:
    """Tell whether `If-None-Match` names this tag. Weak comparison: a gzipping proxy weakens our tags."""
    header = request.META.get("HTTP_IF_NONE_MATCH", "")
    if not header:
        return False
    return header.strip() == "*" or tag.strip('"') in _TAG.findall(header)


def known_version(request: HttpRequest) -> int | None:
    """Read the version of a minimal answer that `If-None-Match` names; None if it names anything else."""
    match = _TAG.fullmatch(request.META.get("HTTP_IF_NONE_MATCH", "").strip())
    ours = _OURS.fullmatch(match[1]) if match else None
    return int(ours[1]) if ours and "." not in ours[0] else None


def expected_version(request: HttpRequest, *, is_required: bool = False) -> int | None:
    """Read the version that `If-Match` names: the part before the dot, also of a weak tag.

    `*` and an absent header ask for nothing (None); a tag that is not ours never matches (`NO_VERSION`).

    :raises ApiProblem: `precondition_required` (428), if it must be there and is not; `precondition_invalid` (400), if
        it is no entity tag or names several.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        if is_required:
            raise ApiProblem("precondition_required")
        return None
    if header == "*":
        return None
    match = _TAG.fullmatch(header)
    if match is None:
        raise ApiProblem("precondition_invalid")
    ours = _OURS.fullmatch(match[1])
    return int(ours[1]) if ours else NO_VERSION
