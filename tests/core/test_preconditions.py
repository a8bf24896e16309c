"""Entity tags and what may be asked with them."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from shop.core.preconditions import NO_VERSION, etag, expected_version, is_unchanged
from shop.core.problems import ApiProblem


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ('"c17"', 17),
        ('W/"c17"', 17),
        ('"c17.abc9"', 17),
        ('W/"c17.abc9"', 17),
        (' "c17" ', 17),
        ("*", None),
        ("", None),
        ('"x17"', NO_VERSION),
        ('"c"', NO_VERSION),
        ('"c17x"', NO_VERSION),
        ('"c' + "9" * 30 + '"', NO_VERSION),
    ],
)
def test_if_match_names_a_version_by_the_part_before_the_dot(header: str, version: int | None) -> None:
    request = RequestFactory().put("/", headers={"If-Match": header} if header else {})

    assert expected_version(request) == version


@pytest.mark.parametrize("header", ["c17", '"c17', '"c17", "c18"', "17", '""c17""'])
def test_what_is_no_single_entity_tag_is_refused(header: str) -> None:
    with pytest.raises(ApiProblem) as caught:
        expected_version(RequestFactory().put("/", headers={"If-Match": header}))

    assert caught.value.code == "precondition_invalid"


def test_a_missing_precondition_is_refused_where_it_is_needed() -> None:
    with pytest.raises(ApiProblem) as caught:
        expected_version(RequestFactory().put("/"), is_required=True)

    assert caught.value.code == "precondition_required"


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ('"c17.ab"', True),
        ('W/"c17.ab"', True),
        ('"c1", W/"c17.ab"', True),
        ("*", True),
        ('"c17"', False),
        ('"c17.abc"', False),
        ("", False),
        ("c17.ab", False),
    ],
)
def test_if_none_match_compares_whole_tags_weakly(header: str, *, answer: bool) -> None:
    request = RequestFactory().get("/", headers={"If-None-Match": header} if header else {})

    assert is_unchanged(request, etag(17, "ab")) is answer
