"""Strict fields and bodies."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import exceptions, serializers

from shop.core.fields import BooleanField, ChoiceField, IntegerField, StrictSerializer, TextField, validated
from shop.core.problems import ApiProblem, describe


class _Line(StrictSerializer):
    sku_id = TextField(max_length=5)
    quantity = IntegerField(min_value=1, max_value=9)


class _Body(StrictSerializer):
    items = _Line(many=True)
    mode = ChoiceField(choices=["patch", "replace"], default="patch")
    is_kind = BooleanField(required=False)


def _errors(serializer: type[serializers.Serializer[Any]], data: object) -> list[tuple[str, str]]:
    with pytest.raises(exceptions.ValidationError) as caught:
        validated(serializer, data)
    body, _headers = describe(caught.value)
    assert body["status"] == 422
    return [(error["pointer"], error["code"]) for error in body["errors"]]


def test_a_body_that_fits_comes_back_with_its_defaults() -> None:
    data = {"items": [{"sku_id": "A", "quantity": 9}], "is_kind": False}

    assert validated(_Body, data) == {**data, "mode": "patch"}


@pytest.mark.parametrize("quantity", ["1", 1.0, 1.5, True, False, None, [1], {"a": 1}, "١", -0.0])
def test_only_a_json_integer_is_a_quantity(quantity: object) -> None:
    (error,) = _errors(_Body, {"items": [{"sku_id": "A", "quantity": quantity}]})

    assert error[0] == "/items/0/quantity"
    assert error[1] in ("not_an_integer", "null")


@pytest.mark.parametrize(
    ("quantity", "code"), [(0, "min_value"), (-1, "min_value"), (10, "max_value"), (10**30, "max_value")]
)
def test_limits_are_told_with_their_number(quantity: int, code: str) -> None:
    with pytest.raises(exceptions.ValidationError) as caught:
        validated(_Line, {"sku_id": "A", "quantity": quantity})

    (error,) = describe(caught.value)[0]["errors"]
    assert (error["pointer"], error["code"], error["limit"]) == ("/quantity", code, 1 if code == "min_value" else 9)
    assert str(error["limit"]) in error["detail"]


@pytest.mark.parametrize("data", [[], "text", 1, None, True])
def test_anything_but_an_object_at_the_top_is_refused(data: object) -> None:
    assert _errors(_Line, data) == [("", "expected_object")]


def test_all_wrong_fields_are_named_at_once() -> None:
    data = {"items": [{"sku_id": 1, "quantity": "1"}, {"sku_id": "toolong"}], "mode": "other", "is_kind": 1}

    assert sorted(_errors(_Body, data)) == [
        ("/is_kind", "not_a_boolean"),
        ("/items/0/quantity", "not_an_integer"),
        ("/items/0/sku_id", "not_a_string"),
        ("/items/1/quantity", "required"),
        ("/items/1/sku_id", "max_length"),
        ("/mode", "out_of_choice"),
    ]


@pytest.mark.parametrize("text", ["\x00", "a\nb", "\ud800", "\x7f"])
def test_texts_that_cannot_be_stored_or_shown_are_refused(text: str) -> None:
    assert _errors(_Line, {"sku_id": text, "quantity": 1}) == [("/sku_id", "invalid_characters")]


@pytest.mark.parametrize("name", ["price", "total", "discount", "user", "status", "__proto__", "\ud800"])
def test_an_unknown_field_is_refused_at_every_level(name: str) -> None:
    for data in (
        {"items": [], name: 1},
        {"items": [{"sku_id": "A", "quantity": 1, name: 1}]},
    ):
        with pytest.raises(ApiProblem) as caught:
            validated(_Body, data)
        body, _headers = describe(caught.value)
        assert (body["status"], body["code"]) == (400, "unknown_parameter")
        assert body["errors"][0]["pointer"].endswith("/" + name.replace("\ud800", "?"))
