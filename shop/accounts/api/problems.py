"""Puts allauth's views under the API's own rules: strict bodies at the door, problems instead of its error format."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from shop.core.errors import ErrorDetail
from shop.core.parsers import MAX_BYTES, parse_json, read_past
from shop.core.problem_codes import BY_STATUS
from shop.core.problems import CONTENT_TYPE, ApiProblem, describe, edge_problem, problem_response

View = Callable[..., HttpResponse]

RESET_KEY_HEADER = "X-Password-Reset-Key"
TOO_OFTEN = frozenset({"too_many_login_attempts", "rate_limited"})
"""Codes by which allauth's forms say that a limit was reached."""
TOO_OFTEN_SECONDS = 60


def under_our_rules(
    patterns: list[URLPattern | URLResolver], *, without: AbstractSet[str] = frozenset()
) -> list[URLPattern | URLResolver]:
    """Copy URL patterns with every view wrapped; names and namespaces stay, but for those that are named."""
    copies: list[URLPattern | URLResolver] = []
    for pattern in patterns:
        if isinstance(pattern, URLPattern) and pattern.name in without:
            continue
        if isinstance(pattern, URLResolver):
            inner = under_our_rules(list(pattern.url_patterns), without=without)
            copies.append(
                URLResolver(
                    pattern.pattern,
                    inner,
                    pattern.default_kwargs,
                    app_name=pattern.app_name,
                    namespace=pattern.namespace,
                ),
            )
        else:
            copies.append(URLPattern(pattern.pattern, _wrapped(pattern.callback), pattern.default_args, pattern.name))
    return copies


def _wrapped(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401 - whatever the path holds
        try:
            _check_key(request.headers.get(RESET_KEY_HEADER, ""))
            _check_body(request)
        except ApiProblem as error:
            body, headers = describe(error)
            return problem_response(body, headers)
        response = view(request, *args, **kwargs)
        return as_problem(response) if response.status_code >= 400 else _private(response)  # noqa: PLR2004 - failures

    return guarded


def _check_body(request: HttpRequest) -> None:
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > MAX_BYTES:
        read_past(request)
        raise ApiProblem("body_too_large")
    if length == 0:
        return
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if request.content_type != "application/json" or charset not in ("utf-8", "utf8"):
        raise ApiProblem("unsupported_media_type")
    body = parse_json(request.body)
    if not isinstance(body, dict):
        raise ApiProblem("validation_failed")
    for name, value in body.items():
        if isinstance(value, str) and not _is_writable(value):
            # Half of a pair of surrogates, which JSON can spell and nothing can hash or store.
            raise ApiProblem("validation_failed", errors=(ErrorDetail(f"/{name}", "invalid_characters"),))
    _check_key(body.get("key"))


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_key(key: object) -> None:
    """Refuse a key of a reset that names no account before its hyphen: allauth would break over it.

    :raises ApiProblem: `validation_failed` (422).
    """
    if isinstance(key, str) and key.startswith("-"):
        raise ApiProblem("validation_failed", errors=(ErrorDetail("/key", "invalid_characters"),))


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


def as_problem(response: HttpResponse) -> HttpResponse:
    """Turn an error of allauth into a problem that keeps all its members (`data.flows`, `meta`, `param`, `message`).

    Its errors about fields are 400 there; here they are what the rest of the API says: 422, with a pointer each.
    """
    if response.get("Content-Type", "").startswith(CONTENT_TYPE):
        return response
    try:
        said = json.loads(response.content)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    errors = [_entry(error) for error in said.pop("errors", []) if isinstance(error, dict)]
    said.pop("status", None)
    status = response.status_code
    if status == 400 and errors:  # noqa: PLR2004 - allauth's status of fields
        status = 422
    retry_after = {}
    if any(error["code"] in TOO_OFTEN for error in errors):
        status, retry_after = 429, {"Retry-After": str(TOO_OFTEN_SECONDS)}
    body = edge_problem(BY_STATUS.get(status, "bad_request"), errors=errors) | {"status": status} | said
    kept = retry_after | {name: response[name] for name in ("Allow", "Retry-After") if name in response}
    if status == 401:  # noqa: PLR2004 - allauth names no scheme, HTTP wants one
        kept["WWW-Authenticate"] = "X-Session-Token"
    answer = problem_response(body, kept)
    answer.cookies = response.cookies
    return answer


def _entry(error: dict[str, Any]) -> dict[str, Any]:
    param = str(error.get("param", ""))
    return {
        "pointer": f"/{param}" if param else "",
        "code": str(error.get("code", "invalid")),
        "detail": str(error.get("message", "")),
        **error,
    }
