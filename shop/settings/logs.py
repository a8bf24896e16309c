"""Logging: JSON in production, plain lines elsewhere; never local variables, never secrets in a path."""

from __future__ import annotations

import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

# Guest sessions, order tokens and unsubscribe links are at least this long and may stand in a path.
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,}")
_MAIL_ADDRESS = re.compile(r"[^\s@()=,;:'\"<>]{1,64}+@[A-Za-z0-9.-]{1,255}+")


def without_secrets(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Take query strings and everything that could be a token out of a logged request line, and of Django's own."""
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = _SECRET.sub("…", request.partition("?")[0])
    if str(event.get("logger", "")).startswith("django."):
        event["event"] = _SECRET.sub("…", str(event["event"]))
    return event


def without_addresses(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Take mail addresses out of what failures say: a database names the value that it refuses."""
    failures = event.get("exception")
    for failure in failures if isinstance(failures, list) else ():
        failure["exc_value"] = _MAIL_ADDRESS.sub("…@…", str(failure["exc_value"]))
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    without_secrets,
]


def configure(*, is_json: bool, level: str) -> dict[str, Any]:
    """Set up structlog and return Django's LOGGING.

    Traces are formatted without local variables in every environment: structlog's pretty ones print passwords.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: list[Any] = (
        [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30),
            ),
            without_addresses,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if is_json
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # The middleware's own lines say what happened to a request; Django's would say it twice.
            "django.server": {"level": "WARNING"},
            # Whoever tries addresses names any host; a trace for each would bury all else.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django_structlog": {"level": level},
        },
    }
