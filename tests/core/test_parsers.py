"""The strict JSON parser: what it refuses, and how it says so."""

from __future__ import annotations

import io
import json
import time

import pytest

from shop.core.parsers import MAX_BYTES, MAX_DEPTH, StrictJSONParser, parse_json
from shop.core.problems import ApiProblem


def test_plain_json_is_read() -> None:
    assert parse_json('{"a": [1, -2, 0.5, "ü", true, null]}'.encode()) == {"a": [1, -2, 0.5, "ü", True, None]}


@pytest.mark.parametrize(
    ("body", "code", "params"),
    [
        (b"", "empty", {}),
        (b"  \n", "empty", {}),
        (b"\xef\xbb\xbf{}", "byte_order_mark", {"position": 0}),
        (b'{"a": "\xff"}', "not_utf8", {"position": 7}),
        (b'{"a": 1,\n "b": }', "syntax", {"line": 2, "column": 7}),
        (b'{"a": 1', "syntax", {"line": 1, "column": 8}),
        (b'{"a": 1} x', "syntax", {"line": 1, "column": 10}),
        (b"{'a': 1}", "syntax", {"line": 1, "column": 2}),
        (b'{"a": "line\nbreak"}', "syntax", {"line": 1, "column": 12}),
        (b'{"a": 1, "a": 2}', "duplicate_key", {}),
        (b'{"x": {"a": 1, "\\u0061": 2}}', "duplicate_key", {}),
        (b'{"a": NaN}', "not_a_number", {}),
        (b'{"a": Infinity}', "not_a_number", {}),
        (b'{"a": -Infinity}', "not_a_number", {}),
        (b'{"a": 1e999}', "number_out_of_range", {}),
        (b'{"a": ' + b"9" * 5000 + b"}", "number_out_of_range", {}),
        (b'{"a": ' + b"9" * 400 + b"}", "number_out_of_range", {}),
        (b"[" * 21 + b"]" * 21, "too_deep", {"limit": MAX_DEPTH, "position": 20}),
        (b"[" * 30_000, "too_deep", {"limit": MAX_DEPTH, "position": 20}),
        (b'{"a":' * 10_000, "too_deep", {"limit": MAX_DEPTH, "position": 100}),
    ],
)
def test_what_is_not_plain_json_is_malformed_and_says_where(body: bytes, code: str, params: dict[str, int]) -> None:
    with pytest.raises(ApiProblem) as caught:
        parse_json(body)

    assert caught.value.code == "malformed"
    assert [(error.pointer, error.code, dict(error.params)) for error in caught.value.errors] == [("", code, params)]


def test_a_body_over_the_limit_is_too_large_and_one_at_the_limit_is_read() -> None:
    at_the_limit = b'"' + b"a" * (MAX_BYTES - 2) + b'"'

    assert parse_json(at_the_limit) == "a" * (MAX_BYTES - 2)
    with pytest.raises(ApiProblem) as caught:
        parse_json(at_the_limit + b" ")
    assert caught.value.code == "body_too_large"


def test_brackets_inside_texts_are_not_depth() -> None:
    text = json.dumps({"a": "[" * 100 + '\\"' + "{" * 100})

    assert parse_json(text.encode()) == json.loads(text)


def test_depth_up_to_the_limit_is_read() -> None:
    value = parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)

    for _ in range(MAX_DEPTH - 1):
        assert isinstance(value, list)
        (value,) = value
    assert value == []


def test_of_a_body_that_is_too_large_nothing_is_left_unread() -> None:
    stream = io.BytesIO(b"x" * (MAX_BYTES + 5_000))

    with pytest.raises(ApiProblem):
        StrictJSONParser().parse(stream)

    assert stream.read() == b""


def test_of_a_body_without_end_no_more_than_about_a_megabyte_is_read() -> None:
    stream = io.BytesIO(b"x" * 5_000_000)

    with pytest.raises(ApiProblem):
        StrictJSONParser().parse(stream)

    assert stream.tell() < 1_200_000


@pytest.mark.parametrize(
    "body", [b'"\\' * 32_000, b'["' + b'\\"' * 32_000, b'[["' * 21_000, b"[,]" * 20_000, b'"[' * 30_000]
)
def test_hostile_bodies_take_linear_time(body: bytes) -> None:
    started = time.process_time()

    with pytest.raises(ApiProblem):
        parse_json(body)

    # Far more than it takes, and far less than steps as many as the square of its length would.
    assert time.process_time() - started < 5


def test_minus_zero_is_no_whole_number() -> None:
    assert isinstance(parse_json(b"-0"), float)


def test_a_number_beyond_64_bits_is_still_a_number() -> None:
    assert parse_json(b"123456789012345678901234567890") == 123456789012345678901234567890
