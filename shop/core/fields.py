"""Strict request bodies: no unknown fields, and values of exactly the JSON type that is asked for."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Mapping
from typing import Any, Self

from rest_framework import exceptions, serializers

from shop.core.errors import ErrorDetail, ParamValue
from shop.core.problems import ApiProblem
from shop.core.words import detail_words


class Code(str):
    """The code of a field's error, with the numbers that its words use: DRF copies everything else of an error away."""

    __slots__ = ("params",)
    params: Mapping[str, ParamValue]

    def __new__(cls, code: str, params: Mapping[str, ParamValue]) -> Self:
        """Make a code that remembers its numbers."""
        self = super().__new__(cls, code)
        self.params = dict(params)
        return self


def _worded(code: str, params: Mapping[str, ParamValue]) -> exceptions.ErrorDetail:
    return exceptions.ErrorDetail(detail_words(ErrorDetail("", code, params)), Code(code, params))


def invalid(code: str, **params: ParamValue) -> exceptions.ValidationError:
    """Make the error of one field: its code, and the numbers that its words use."""
    return exceptions.ValidationError([_worded(code, params)])


class IntegerField(serializers.IntegerField):
    """A JSON integer: no string, no fraction, no boolean, whatever a program would make of them."""

    def to_internal_value(self, data: object) -> int:
        """Take the number.

        :raises ValidationError: `not_an_integer`, `min_value` or `max_value`.
        """
        if type(data) is not int:
            raise invalid("not_an_integer")
        if self.min_value is not None and data < self.min_value:
            raise invalid("min_value", limit=int(self.min_value))
        if self.max_value is not None and data > self.max_value:
            raise invalid("max_value", limit=int(self.max_value))
        return data


class BooleanField(serializers.BooleanField):
    """A JSON boolean: no 1, no "true"."""

    def to_internal_value(self, data: object) -> bool:
        """Take true or false.

        :raises ValidationError: `not_a_boolean`, if it is something else.
        """
        if not isinstance(data, bool):
            raise invalid("not_a_boolean")
        return data


class TextField(serializers.CharField):
    """A JSON string of one line that can be stored and shown: no control characters, no half characters."""

    def to_internal_value(self, data: object) -> str:
        """Take the text.

        :raises ValidationError: `not_a_string`, `invalid_characters`, or what DRF finds.
        """
        if not isinstance(data, str):
            raise invalid("not_a_string")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in data):
            raise invalid("invalid_characters")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    """One of a few words."""

    def to_internal_value(self, data: object) -> str:
        """Take the word.

        :raises ValidationError: `not_a_string` or `out_of_choice`.
        """
        if not isinstance(data, str):
            raise invalid("not_a_string")
        if data not in self.choices:
            raise invalid("out_of_choice", choices=", ".join(str(choice) for choice in self.choices))
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """A JSON object with these fields and no others, at every level."""

    def to_internal_value(self, data: object) -> dict[str, Any]:
        """Check shape and fields.

        :raises ApiProblem: `unknown_parameter` (400), if there are fields of other names.
        :raises ValidationError: if it is no object (`expected_object`) or a field does not fit.
        """
        if not isinstance(data, dict):
            raise exceptions.ValidationError({"non_field_errors": [_worded("expected_object", {})]})
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            where = self._pointer()
            raise ApiProblem(
                "unknown_parameter",
                errors=tuple(ErrorDetail(f"{where}/{name}", "unknown_parameter") for name in sorted(unknown)[:20]),
            )
        return dict(super().to_internal_value(data))

    def _pointer(self) -> str:
        """Where this object stands in the body; a list's index is not known to its child."""
        parts: list[str] = []
        node: Any = self
        while node is not None:
            if node.field_name:
                parts.append(str(node.field_name))
            node = node.parent
        return "".join(f"/{part}" for part in reversed(parts))


def validated(serializer: type[serializers.Serializer[Any]], data: object) -> dict[str, Any]:
    """Check a request body.

    :raises ApiProblem: `unknown_parameter`, if it has fields of other names.
    :raises ValidationError: if it does not fit.
    """
    # DRF takes null for "no value" and would not ask the serializer.
    return dict(_shape(serializer).run_validation(() if data is None else data))


@functools.cache
def _shape(serializer: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Make a serializer once: a new one copies all of its fields, and checking a body leaves no trace in it."""
    return serializer()
