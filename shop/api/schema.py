"""The API's own description, OpenAPI 3.1: what drf-spectacular finds, and what stands outside of its sight."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from shop.api.signing_in import SCHEMAS as SIGNING_IN_SCHEMAS
from shop.api.signing_in import paths as signing_in_paths
from shop.core.api import ApiView

_SCHEMA_NAME = re.compile(r'"(#/components/schemas/)?(\w+)Schema"')


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """The app client's token."""

    target_class = "shop.accounts.api.authentication.SessionTokenAuthentication"
    name = "sessionToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Describe the header."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-Session-Token",
            "description": "`meta.session_token` of the answer to signing in.",
        }


class WebSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """The pages' session."""

    target_class = "shop.accounts.api.authentication.WebSessionAuthentication"
    name = "webSession"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Describe the cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of the shop's pages; changes need `X-CSRFToken`.",
        }


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A failure (RFC 9457). Branch on `code`; `title` and `detail` are for people.",
    "required": ["type", "title", "status", "code", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "description": "Path of a page about this code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable."},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "`urn:request:` and the request's id, as in our logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "description": "One wrong part. Numbers that its words use stand beside them: `limit`, `requested`, …",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "Into the body, or `/items/{sku_id}` into the cart; empty for the whole.",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "current": {"type": "object", "description": "The present state, where that helps to go on."},
    },
}
FAILURE: dict[str, Any] = {
    "description": "Failed; nothing was changed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
CONDITIONAL_TAGS = frozenset({"cart", "saved list", "catalog", "orders"})
"""What is answered with 304 to `If-None-Match`."""


def complete(result: dict[str, Any], generator: object, request: object, public: bool) -> dict[str, Any]:  # noqa: FBT001 - spectacular's hook
    """Add what is true of every address: problems, conditional reads, guests; and allauth's addresses."""
    found: dict[str, Any] = json.loads(_SCHEMA_NAME.sub(r'"\1\2"', json.dumps(result, default=str)))
    for operations in found["paths"].values():
        for method, operation in operations.items():
            responses = operation["responses"]
            if method == "get" and CONDITIONAL_TAGS & set(operation["tags"]):
                responses["304"] = {"description": "Not changed since `If-None-Match`."}
            responses["default"] = FAILURE
            security = operation.get("security", [])
            if any("sessionToken" in entry for entry in security):
                security[:0] = [{}, {"cartSession": []}]
    found["paths"] = dict(sorted((found["paths"] | signing_in_paths(FAILURE)).items()))
    components = found["components"]
    components["schemas"] = dict(
        sorted((components["schemas"] | SIGNING_IN_SCHEMAS | {"Problem": PROBLEM_SCHEMA}).items()),
    )
    components["securitySchemes"]["cartSession"] = {
        "type": "apiKey",
        "in": "header",
        "name": "Cart-Session",
        "description": "A guest's cart, issued by the first change.",
    }
    return found


@cache
def schema() -> dict[str, Any]:
    """Build the description, once a process: it depends on code alone."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


class SchemaView(ApiView):
    """`/schema`."""

    authentication_classes = ()
    cache_control = "public, max-age=3600"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """Describe the API as JSON."""
        return Response(schema(), content_type="application/vnd.oai.openapi+json")
