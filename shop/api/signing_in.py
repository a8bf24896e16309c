"""How the schema describes signing in: these addresses are allauth's, which drf-spectacular does not see."""

from __future__ import annotations

from typing import Any

_PREFIX = "/api/v1/auth/app/v1/auth"

SCHEMAS: dict[str, Any] = {
    "Credentials": {
        "type": "object",
        "required": ["email", "password"],
        "properties": {
            "email": {"type": "string", "format": "email"},
            "password": {"type": "string", "format": "password"},
        },
    },
    "NewAccount": {
        "type": "object",
        "required": ["email", "password"],
        "properties": {
            "email": {"type": "string", "format": "email"},
            "password": {"type": "string", "format": "password"},
            "reminders": {
                "type": "boolean",
                "default": False,
                "description": "Whether the customer ticked that they want to be reminded of what they leave in the "
                "cart. Never tick it beforehand. Read only where the shop needs a yes for that.",
            },
        },
    },
    "Session": {
        "type": "object",
        "required": ["status", "data", "meta"],
        "properties": {
            "status": {"type": "integer"},
            "data": {
                "type": "object",
                "properties": {
                    "user": {
                        "type": "object",
                        "properties": {
                            "id": {"type": "integer"},
                            "display": {"type": "string"},
                            "email": {"type": "string"},
                            "has_usable_password": {"type": "boolean"},
                        },
                    },
                    "methods": {"type": "array", "items": {"type": "object"}},
                },
            },
            "meta": {
                "type": "object",
                "required": ["is_authenticated"],
                "properties": {
                    "is_authenticated": {"type": "boolean"},
                    "session_token": {"type": "string", "description": "Send it as `X-Session-Token`."},
                },
            },
        },
    },
}

_SIGNED_IN: dict[str, Any] = {
    "description": "Signed in.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}},
}
_CART_SESSION: dict[str, Any] = {
    "in": "header",
    "name": "Cart-Session",
    "schema": {"type": "string"},
    "description": "The guest's cart to take along: it is joined to the customer's, and this session is over.",
}


def paths(failure: dict[str, Any]) -> dict[str, Any]:
    """Describe signing in, signing up, and the session itself."""

    def entry(operation_id: str, description: str, body: str) -> dict[str, Any]:
        return {
            "post": {
                "operationId": operation_id,
                "description": description,
                "parameters": [_CART_SESSION],
                "tags": ["signing in"],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}},
                },
                "responses": {"200": _SIGNED_IN, "default": failure},
            },
        }

    return {
        f"{_PREFIX}/login": entry("sign_in", "Sign in.", "Credentials"),
        f"{_PREFIX}/signup": entry(
            "sign_up", "Make an account and sign in; its mail address may be confirmed later.", "NewAccount"
        ),
        f"{_PREFIX}/session": {
            "get": {
                "operationId": "get_session",
                "description": "Tell who is signed in; 401 if nobody is.",
                "tags": ["signing in"],
                "security": [{"sessionToken": []}],
                "responses": {"200": _SIGNED_IN, "default": failure},
            },
            "delete": {
                "operationId": "sign_out",
                "description": "Sign out. The answer to success is 401: nobody is signed in any more.",
                "tags": ["signing in"],
                "security": [{"sessionToken": []}],
                "responses": {"default": failure},
            },
        },
    }
