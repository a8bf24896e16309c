"""Plain reading of requests: whose wire it came by, which site a browser sent it from, its query and keys."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from shop.core.conf import conf
from shop.core.errors import ErrorDetail
from shop.core.problems import ApiProblem
from shop.core.web.origin import is_same_origin

# Printable ASCII but for the comma: two headers of one name reach a program joined by one.
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e](?:[\x20-\x2b\x2d-\x7e]{0,253}[\x21-\x2b\x2d-\x7e])?", re.ASCII)


def network_address(request: HttpRequest) -> str:
    """Give the caller's address: the connection's, or what the outermost proxy of our own has appended."""
    proxies = conf().trusted_proxies
    if proxies:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= proxies:
            return hops[-proxies][:45]
    return str(request.META.get("REMOTE_ADDR", ""))


def is_cross_site(request: HttpRequest) -> bool:
    """Tell whether a browser says that the request comes from elsewhere."""
    has_word = "Sec-Fetch-Site" in request.headers or "Origin" in request.headers
    return has_word and not is_same_origin(request)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, answering with the reason instead of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def has_csrf_token(request: HttpRequest) -> bool:
    """Tell whether the request carries the CSRF token of its cookie and a trusted origin."""
    check = _CsrfCheck(lambda _request: None)  # type: ignore[arg-type]
    check.process_request(request)
    return check.process_view(request, None, (), {}) is None  # type: ignore[arg-type]


def is_plain_read(request: HttpRequest) -> bool:
    """Tell whether this is a GET without a query, a body or an account, by somebody who takes JSON.

    Nothing that the API's view checks at the door can be wrong with it.
    """
    meta = request.META
    accept = meta.get("HTTP_ACCEPT", "*/*")
    return (
        request.method == "GET"
        and not meta.get("QUERY_STRING")
        and meta.get("CONTENT_LENGTH") in (None, "", "0")
        and "HTTP_CONTENT_ENCODING" not in meta
        and "HTTP_X_SESSION_TOKEN" not in meta
        and settings.SESSION_COOKIE_NAME not in request.COOKIES
        and ("*/*" in accept or "json" in accept)
    )


def check_query(request: HttpRequest, allowed: AbstractSet[str]) -> None:
    """Refuse query parameters that do not exist, or stand twice.

    :raises ApiProblem: `unknown_parameter` or `repeated_parameter` (400).
    """
    if not request.META.get("QUERY_STRING"):
        return
    unknown = sorted(name for name in request.GET if name not in allowed)
    if unknown:
        raise ApiProblem("unknown_parameter", errors=_in_query("unknown_parameter", unknown))
    repeated = sorted(name for name, values in request.GET.lists() if len(values) > 1)
    if repeated:
        raise ApiProblem("repeated_parameter", errors=_in_query("repeated_parameter", repeated))


def _in_query(code: str, names: list[str]) -> tuple[ErrorDetail, ...]:
    plain = (name[:100].encode("utf-8", "replace").decode() for name in names[:20])
    return tuple(ErrorDetail("", code, {"parameter": name}) for name in plain)


def read_expand(request: HttpRequest, allowed: AbstractSet[str]) -> frozenset[str]:
    """Read `?expand=a,b`.

    :raises ApiProblem: `unknown_expand` (400), if it names something else.
    """
    names = frozenset(filter(None, request.GET.get("expand", "").split(",")))
    unknown = sorted(names - allowed)
    if unknown:
        raise ApiProblem("unknown_expand", errors=_in_query("unknown_expand", unknown))
    return names


def read_whole_number(request: HttpRequest, name: str, *, default: int, minimum: int, maximum: int) -> int:
    """Read a whole number from the query, in ASCII digits.

    :raises ApiProblem: `validation_failed` (422), if it is none or out of range.
    """
    text = request.GET.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - far above every maximum
        raise ApiProblem("validation_failed", errors=(ErrorDetail("", "not_an_integer", {"parameter": name}),))
    value = int(text)
    if value < minimum:
        raise ApiProblem(
            "validation_failed", errors=(ErrorDetail("", "min_value", {"limit": minimum, "parameter": name}),)
        )
    if value > maximum:
        raise ApiProblem(
            "validation_failed", errors=(ErrorDetail("", "max_value", {"limit": maximum, "parameter": name}),)
        )
    return value


def idempotency_key(request: HttpRequest, *, is_required: bool) -> str:
    """Read `Idempotency-Key`, empty if there is none.

    :raises ApiProblem: `idempotency_key_missing` or `idempotency_key_invalid` (400).
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        if is_required:
            raise ApiProblem("idempotency_key_missing")
        return ""
    if not _KEY.fullmatch(key):
        raise ApiProblem("idempotency_key_invalid")
    return key


def prefers_lenient(request: HttpRequest) -> bool:
    """Tell whether `Prefer: handling=lenient` (RFC 7240) is sent."""
    wishes = request.headers.get("Prefer", "").lower().replace(" ", "").split(",")
    return any(wish.split(";")[0] == "handling=lenient" for wish in wishes)
