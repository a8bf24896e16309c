"""What can go wrong at the edge, before any app is asked: code, status and words."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop.core.words import DETAIL_WORDS

Text = str | Promise


@dataclass(frozen=True, slots=True)
class EdgeCode:
    """A failure of the protocol: its status, title and explanation."""

    status: int
    title: Text
    detail: Text


EDGE: dict[str, EdgeCode] = {
    "malformed": EdgeCode(400, _("Not readable"), _("The body could not be read as JSON.")),
    "bad_request": EdgeCode(400, _("Not acceptable"), _("The request is not one that this server understands.")),
    "unknown_parameter": EdgeCode(
        400, _("Unknown parameter"), _("The request has a field or parameter that does not exist here.")
    ),
    "repeated_parameter": EdgeCode(400, _("Repeated parameter"), _("A query parameter was sent more than once.")),
    "unknown_expand": EdgeCode(400, _("Unknown expansion"), _("“expand” names something that cannot be added here.")),
    "idempotency_key_missing": EdgeCode(
        400,
        _("Idempotency key missing"),
        _("This request needs the header “Idempotency-Key”, so that it can be repeated safely."),
    ),
    "idempotency_key_invalid": EdgeCode(
        400,
        _("Idempotency key not valid"),
        _("“Idempotency-Key” must be sent once, with 1 to 255 printable ASCII characters without commas."),
    ),
    "precondition_invalid": EdgeCode(400, _("Precondition not valid"), _("“If-Match” must name one entity tag.")),
    "unauthenticated": EdgeCode(401, _("Sign-in needed"), _("Please sign in. The session is missing or has ended.")),
    "csrf_failed": EdgeCode(
        403,
        _("Origin not confirmed"),
        _("A change that relies on a cookie needs the CSRF token or must come from the shop's own pages."),
    ),
    "forbidden": EdgeCode(403, _("Not allowed"), _("This is not open to you.")),
    "not_found": EdgeCode(404, _("Not found"), _("There is nothing here, or it is not yours.")),
    "method_not_allowed": EdgeCode(405, _("Method not allowed"), _("This address does not take this method.")),
    "not_acceptable": EdgeCode(406, _("Not available in this form"), _("This API answers in JSON only.")),
    "conflict": EdgeCode(409, _("Not possible now"), _("Something has changed in the meantime. Nothing was done.")),
    "body_too_large": EdgeCode(413, _("Too large"), _("The body is larger than this API takes.")),
    "unsupported_media_type": EdgeCode(
        415,
        _("Media type not supported"),
        _("Bodies must be application/json in UTF-8, not compressed."),
    ),
    "validation_failed": EdgeCode(422, _("Please check your entries"), _("Some of what was sent is not valid.")),
    "precondition_required": EdgeCode(
        428,
        _("Precondition needed"),
        _("This request needs “If-Match” with the entity tag that it is based on."),
    ),
    "rate_limited": EdgeCode(429, _("Too many requests"), _("Please wait a little before trying again.")),
    "internal_error": EdgeCode(
        500,
        _("Something went wrong"),
        _("This is our fault. Please try again, and name the request's number if it happens again."),
    ),
    "busy": EdgeCode(
        503, _("Very busy"), _("Many people want the same thing right now. Please try again in a few seconds.")
    ),
    "unavailable": EdgeCode(
        503,
        _("Try again in a moment"),
        _("A part of the shop cannot answer right now. Please try again in a minute."),
    ),
}

BY_STATUS: dict[int, str] = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}
"""The code of a failure of which only the status is known."""

SPECIAL_STATUS: dict[str, int] = {
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "webhook_refused": 400,
    "payment_declined": 402,
    "undo_expired": 410,
    "checkout_cancelled": 410,
    "cart_changed": 412,
    "checkout_changed": 412,
    "rate_limited": 429,
}
"""Refusals whose status is not their family's."""

_DETAILS: dict[str, Promise] = {
    "empty": _("The body is empty."),
    "syntax": _("This is not JSON, from line {line}, column {column}."),
    "not_utf8": _("This is not UTF-8, from byte {position}."),
    "byte_order_mark": _("JSON begins without a byte order mark."),
    "too_deep": _("Nested more than {limit} levels deep."),
    "duplicate_key": _("A name stands twice in one object."),
    "not_a_number": _("NaN and Infinity are not JSON."),
    "number_out_of_range": _("A number is too large."),
    "body_too_large": _("At most {limit} bytes."),
    "expected_object": _("A JSON object is expected."),
    "unknown_parameter": _("There is no such field or parameter here."),
    "repeated_parameter": _("Sent more than once."),
    "unknown_expand": _("There is no such expansion here."),
    "not_an_integer": _("Must be a whole number."),
    "not_a_string": _("Must be a text."),
    "not_a_boolean": _("Must be true or false."),
    "invalid_characters": _("Contains characters that are not allowed here."),
    "min_value": _("Must be at least {limit}."),
    "max_value": _("Must be at most {limit}."),
    "sku_invalid": _("This cannot be a SKU."),
    "out_of_choice": _("Must be one of: {choices}."),
    "cursor_invalid": _("This cursor is not one of ours."),
    "too_many": _("At most {limit} at once."),
    "ids_or_version": _("Exactly one of “notice_ids” and “up_to_version” is expected."),
    "ids_alone": _("“ids” is sent alone."),
    "nothing_asked": _("Choices belong to the answer of a question."),
    "one_source": _("Exactly one of “cart_session”, “items” and “question” is expected."),
}

for _code, _text in _DETAILS.items():
    DETAIL_WORDS.setdefault(_code, _text)  # an app's own words for the same code win
