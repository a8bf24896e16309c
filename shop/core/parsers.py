"""The API's strict JSON: one way to read a body, and a refusal with a position for everything else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from shop.core.errors import ErrorDetail
from shop.core.problems import ApiProblem

MAX_BYTES = 65_536
MAX_DEPTH = 20
MAX_DIGITS = 308
"""A whole number of more digits fits no double either; Python's own limit (4300) would speak in its own words."""

_MOST_PAST = 1_048_576

# A string, closed or not, or one bracket. Possessive, and an unclosed string runs to the end: linear for every input.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class StrictJSONParser(BaseParser):
    """DRF's parser for `application/json`: UTF-8 without mark, no duplicate keys, no NaN, ≤ 64 KB, ≤ 20 deep."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Read the body.

        :raises ApiProblem: `body_too_large` or `malformed`, if it is.
        """
        body: bytes = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            read_past(stream)
        return parse_json(body)


def read_past(stream: IO[bytes] | HttpRequest) -> None:
    """Read what is left of a body that is refused, up to a megabyte.

    A server that closes a connection with something unread resets it, and that may overtake the answer: a proxy then
    tells the client of a bad gateway.
    """
    for _ in range(_MOST_PAST // MAX_BYTES):
        if not stream.read(MAX_BYTES):
            return


def parse_json(body: bytes) -> object:
    """Turn a JSON text of at most 64 KB into Python values.

    :raises ApiProblem: `body_too_large` (413) or `malformed` (400), the latter with `line` and `column` or `position`
        where one is known. The body is never quoted.
    """
    if len(body) > MAX_BYTES:
        raise ApiProblem("body_too_large", errors=(ErrorDetail("", "body_too_large", {"limit": MAX_BYTES}),))
    if not body.strip():
        raise _malformed("empty")
    if body.startswith(b"\xef\xbb\xbf"):
        raise _malformed("byte_order_mark", position=0)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("not_utf8", position=error.start) from None
    _check_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_fraction,
        )
    except json.JSONDecodeError as error:
        raise _malformed("syntax", line=error.lineno, column=error.colno) from None


def _malformed(code: str, **where: int) -> ApiProblem:
    return ApiProblem("malformed", errors=(ErrorDetail("", code, where),))


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match.group()
        if found in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ApiProblem(
                    "malformed",
                    errors=(ErrorDetail("", "too_deep", {"limit": MAX_DEPTH, "position": match.start()}),),
                )
        elif found in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _malformed("duplicate_key")
    return result


def _refuse_constant(_name: str) -> object:
    raise _malformed("not_a_number")


def _whole_number(digits: str) -> int | float:
    if len(digits) > MAX_DIGITS:
        raise _malformed("number_out_of_range")
    # Minus zero is no whole number that anybody means: as a float, no integer field takes it.
    return -0.0 if digits == "-0" else int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _malformed("number_out_of_range")
    return value
