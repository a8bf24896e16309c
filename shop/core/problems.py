"""Every failure under /api/ as `application/problem+json` (RFC 9457): one DRF handler and one middleware."""

from __future__ import annotations

import json
import logging
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import singledispatch
from typing import Any

import structlog
from django.conf import settings
from django.core import exceptions as django_errors
from django.core.signals import got_request_exception
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from psycopg.errors import LockNotAvailable
from redis.exceptions import RedisError
from rest_framework import exceptions as drf_errors
from rest_framework.response import Response
from rest_framework.settings import api_settings

from shop.core.errors import ConflictError, ErrorDetail, NotFoundError, Refusal, RejectedError, UnavailableError
from shop.core.problem_codes import BY_STATUS, EDGE, SPECIAL_STATUS
from shop.core.words import detail_words, words

logger = logging.getLogger(__name__)

API_PATH = "/api"
PROBLEM_PATH = "/api/v1/problems/"
CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
"""What a refusal for want of a server says when it names no time of its own."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


class ApiProblem(Exception):  # noqa: N818 - it is the problem that is sent
    """A failure of the protocol, one of `problem_codes.EDGE`."""

    def __init__(
        self,
        code: str,
        *,
        errors: tuple[ErrorDetail, ...] = (),
        headers: Mapping[str, str] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors
        self.headers = dict(headers or {})
        self.retry_after_seconds = retry_after_seconds


@singledispatch
def current_state(refusal: Exception) -> dict[str, Any]:
    """Say what the client should know of the present state; apps register theirs in `api/problems.py`."""
    return {}


def is_api(path: str) -> bool:
    """Tell whether a path belongs to the API: its failures are problems, never pages."""
    return path == API_PATH or path.startswith(API_PATH + "/")


def status_of(refusal: Refusal | type[Refusal]) -> int:
    """Give the HTTP status of a refusal: its own, else its family's."""
    kind = refusal if isinstance(refusal, type) else type(refusal)
    if kind.code in SPECIAL_STATUS:
        return SPECIAL_STATUS[kind.code]
    for family, status in ((NotFoundError, 404), (RejectedError, 422), (ConflictError, 409), (UnavailableError, 503)):
        if issubclass(kind, family):
            return status
    return 409


def request_id() -> str:
    """Name this request, as the logs do; a name from outside that is not plain gets replaced."""
    known = structlog.contextvars.get_contextvars().get("request_id", "")
    return known if isinstance(known, str) and _REQUEST_ID.fullmatch(known) else str(uuid.uuid4())


def error_entry(detail: ErrorDetail, text: str = "") -> dict[str, Any]:
    """Write one wrong part: where, what, in words, and its numbers."""
    entry: dict[str, Any] = {
        "pointer": _plain(detail.pointer),
        "code": detail.code,
        "detail": text or detail_words(detail),
    }
    return entry | {name: value for name, value in detail.params.items() if name not in entry}


def problem(
    *,
    code: str,
    status: int,
    title: str,
    detail: str,
    errors: list[dict[str, Any]] | None = None,
    current: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put a problem's members in their order."""
    body: dict[str, Any] = {
        "type": PROBLEM_PATH + code,
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": f"urn:request:{request_id()}",
    }
    if errors:
        body["errors"] = errors
    if current:
        body["current"] = dict(current)
    return body | dict(extra or {})


def edge_problem(code: str, *, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Write the problem of one of the protocol's own codes."""
    edge = EDGE[code]
    return problem(code=code, status=edge.status, title=str(edge.title), detail=str(edge.detail), errors=errors)


def describe(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn whatever was raised into a problem's body and headers."""
    if isinstance(error, Refusal):
        return _describe_refusal(error)
    if not isinstance(error, ApiProblem):
        error = _as_api_problem(error)
    headers = dict(error.headers)
    seconds = error.retry_after_seconds
    if seconds is None and EDGE[error.code].status == 503:  # noqa: PLR2004 - service unavailable
        seconds = RETRY_AFTER_SECONDS
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    entries = [error_entry(detail) for detail in error.errors]
    if isinstance(error, _InvalidFields):
        entries = error.entries
    return edge_problem(error.code, errors=entries), headers


def _describe_refusal(refusal: Refusal) -> tuple[dict[str, Any], dict[str, str]]:
    said = words(refusal)
    seconds = refusal.retry_after_seconds
    if seconds is None and isinstance(refusal, UnavailableError):
        seconds = RETRY_AFTER_SECONDS
    body = problem(
        code=refusal.code,
        status=status_of(refusal),
        title=str(said.title),
        detail=str(said.detail),
        errors=[error_entry(detail) for detail in refusal.errors],
        current=current_state(refusal),
    )
    return body, {} if seconds is None else {"Retry-After": str(seconds)}


class _InvalidFields(ApiProblem):
    """What DRF's serializers found, with their own words."""

    def __init__(self, detail: object) -> None:
        super().__init__("validation_failed")
        self.entries = list(_flatten(detail, ""))


def _flatten(detail: object, pointer: str) -> Iterator[dict[str, Any]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            is_whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _flatten(inner, pointer if is_whole else f"{pointer}/{_escape(str(name))}")
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            if isinstance(inner, Mapping | list):
                yield from _flatten(inner, f"{pointer}/{position}")
            else:
                yield from _flatten(inner, pointer)
    elif isinstance(detail, drf_errors.ErrorDetail):
        params = getattr(detail.code, "params", {})
        yield error_entry(ErrorDetail(pointer, str(detail.code), params), str(detail))


def _escape(name: str) -> str:
    """Escape a name for a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _plain(pointer: str) -> str:
    """Make a pointer that quotes a client's own name safe to send: short, and without what no answer can hold."""
    return pointer[:200].encode("utf-8", "replace").decode()


def _as_api_problem(error: Exception) -> ApiProblem:  # noqa: C901, PLR0911 - a table
    match error:
        case drf_errors.ValidationError():
            return _InvalidFields(error.detail)
        case django_errors.RequestDataTooBig():
            return ApiProblem("body_too_large")
        case drf_errors.ParseError() | UnreadablePostError():
            return ApiProblem("malformed")
        case drf_errors.NotAuthenticated() | drf_errors.AuthenticationFailed():
            return ApiProblem("unauthenticated", headers={"WWW-Authenticate": "X-Session-Token"})
        case drf_errors.APIException():
            seconds = getattr(error, "wait", None)
            return ApiProblem(
                BY_STATUS.get(error.status_code, "internal_error"),
                retry_after_seconds=None if seconds is None else max(1, round(seconds)),
            )
        case Http404():
            return ApiProblem("not_found")
        case django_errors.PermissionDenied():
            return ApiProblem("forbidden")
        case django_errors.SuspiciousOperation() | django_errors.BadRequest():
            return ApiProblem("bad_request")
        case OperationalError() if isinstance(error.__cause__, LockNotAvailable):
            return ApiProblem("busy", retry_after_seconds=2)
        case OperationalError() | InterfaceError() | RedisError():
            return ApiProblem("unavailable")
        case IntegrityError():
            return ApiProblem("conflict")
        case _:
            return ApiProblem("internal_error")


def _record(error: Exception, request: HttpRequest | None) -> None:
    """Log what nobody declared; for a bug also tell whoever listens for crashes, as Django itself would."""
    if isinstance(error, Refusal | ApiProblem | drf_errors.APIException | Http404 | django_errors.SuspiciousOperation):
        return
    if isinstance(error, django_errors.PermissionDenied | django_errors.BadRequest | UnreadablePostError):
        return
    if isinstance(error, OperationalError | InterfaceError | RedisError):
        logger.warning("api_server_unavailable", exc_info=error)
        return
    logger.error("api_crash", exc_info=error)
    if not isinstance(error, IntegrityError):
        got_request_exception.send(sender=None, request=request)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer for DRF: refusals, problems, and whatever else was raised."""
    request = getattr(context.get("request"), "_request", None)
    _record(error, request)
    body, headers = describe(error)
    view = context.get("view")
    if body["status"] == 405 and view is not None:  # noqa: PLR2004 - method not allowed
        headers["Allow"] = ", ".join(view.allowed_methods)
    return Response(
        body, status=body["status"], headers=headers | {"Cache-Control": "no-store"}, content_type=CONTENT_TYPE
    )


def problem_response(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Answer with a problem outside DRF."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = HttpResponse(text.encode(), status=body["status"], content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


class ApiProblemMiddleware:
    """Stands outside everything that can fail; under /api/ a failure that is no problem yet becomes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on and look at the answer."""
        response = self.get_response(request)
        if response.status_code < 400 or not is_api(request.path_info):  # noqa: PLR2004 - failures
            return response
        if response.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        code = BY_STATUS.get(response.status_code, "internal_error" if response.status_code >= 500 else "bad_request")  # noqa: PLR2004
        body = edge_problem(code) | {"status": response.status_code}
        kept = {name: response[name] for name in ("Allow", "Retry-After", "WWW-Authenticate") if name in response}
        if response.status_code == 503:  # noqa: PLR2004 - service unavailable
            kept.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
        return problem_response(body, kept)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for views that are not DRF's."""
        if not is_api(request.path_info) or getattr(settings, "DEBUG_PROPAGATE_EXCEPTIONS", False):
            return None
        if sys.exc_info()[1] is not None:
            _record(error, request)
        body, headers = describe(error)
        return problem_response(body, headers)
