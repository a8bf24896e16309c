"""A page for each problem code: what it means, for whoever reads `type`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from typing import Any, get_origin, get_type_hints

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from pricing.conf import conf as pricing_conf
from shop.core.api import ApiView
from shop.core.errors import Refusal, UnavailableError
from shop.core.money import Money
from shop.core.problem_codes import EDGE
from shop.core.problems import PROBLEM_PATH, ApiProblem, status_of
from shop.core.words import words


class ProblemPageSchema(serializers.Serializer[Any]):
    """What a problem code means."""

    type = serializers.CharField()
    code = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    description = serializers.CharField()
    is_retryable = serializers.BooleanField(help_text="Whether the same request may succeed later.")


def _kinds(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        yield child
        yield from _kinds(child)


@cache
def refusals() -> dict[str, type[Refusal]]:
    """Map each code to the refusal that declares it first; families themselves are among them."""
    found: dict[str, type[Refusal]] = {}
    for kind in _kinds():
        found.setdefault(kind.code, kind)
    return found


def _sample(kind: Any) -> Any:  # noqa: ANN401 - a type, and a value of it
    """Make a value of a field's type: nothing, nought, or a value made of such."""
    if kind is Money:
        return Money(0, pricing_conf().currency)
    if kind in (int, str, bool):
        return pricing_conf().currency if kind is str else kind()
    if get_origin(kind) is tuple:
        return ()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{field.name: _sample(hints[field.name]) for field in dataclasses.fields(kind) if field.init})
    return None


def _title(kind: type[Refusal]) -> str:
    """Give the title, which is the same for every case of a code, from an example."""
    return str(words(_sample(kind)).title)


def page(code: str) -> dict[str, Any]:
    """Describe a code.

    :raises ApiProblem: `not_found`, if there is none such.
    """
    edge = EDGE.get(code)
    if edge is not None:
        title, status, description = str(edge.title), edge.status, str(edge.detail)
        is_retryable = status in (429, 503)
    elif code in refusals():
        kind = refusals()[code]
        title, status, description = _title(kind), status_of(kind), cleandoc(kind.__doc__ or "")
        is_retryable = issubclass(kind, UnavailableError) or code == "idempotency_in_progress"
    else:
        raise ApiProblem("not_found")
    return {
        "type": PROBLEM_PATH + code,
        "code": code,
        "title": title,
        "status": status,
        "description": description,
        "is_retryable": is_retryable,
    }


class ProblemPageView(ApiView):
    """`/problems/{code}`."""

    authentication_classes = ()
    cache_control = "public, max-age=3600"

    @extend_schema(operation_id="get_problem", tags=["meta"], responses={200: ProblemPageSchema})
    def get(self, request: Request, code: str) -> Response:
        """Explain one problem code."""
        return Response(page(code))
