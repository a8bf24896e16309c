"""Settings of an app as one frozen dataclass, read from the environment; impossible values stop the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


def load(cls: type[T], environment: Mapping[str, str], *, prefix: str) -> T:
    """Read each field of the dataclass `cls` from `PREFIX` + its name in capitals; unset fields keep their default.

    :raises ImproperlyConfigured: if a name with the prefix fits no field, a value does not fit its type,
        a field without default is unset, or the dataclass' own `__post_init__` refuses the value.
    """
    known = {prefix + field.name.upper(): field for field in fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
    unknown = sorted(name for name in environment if name.startswith(prefix) and name not in known)
    if unknown:
        msg = f"{unknown[0]}: no such setting. Known: {', '.join(sorted(known))}."
        raise ImproperlyConfigured(msg)
    kinds = get_type_hints(cls)
    env = environ.Env()
    env.ENVIRON = environment
    values: dict[str, Any] = {}
    for name, field in known.items():
        if not environment.get(name, "").strip():
            if field.default is MISSING and field.default_factory is MISSING:
                msg = f"{name}: must be set."
                raise ImproperlyConfigured(msg)
            continue
        values[field.name] = _read(env, name, kinds[field.name])
    return cls(**values)


def _read(env: environ.Env, name: str, kind: type) -> object:
    try:
        if kind is bool:
            text = env.str(name).lower()
            if text not in env.BOOLEAN_TRUE_STRINGS and text not in ("false", "off", "n", "no", "0"):
                raise ValueError  # noqa: TRY301 - one sentence for both kinds, below
            return env.bool(name)
        if kind is int:
            return env.int(name)
    except ValueError:
        wanted = "true or false" if kind is bool else "a whole number"
        msg = f"{name}={env.str(name)!r}: must be {wanted}."
        raise ImproperlyConfigured(msg) from None
    return env.str(name)


def require(condition: object, name: str, sentence: str) -> None:
    """Refuse an impossible value in a `__post_init__`, naming the setting and what is allowed.

    :raises ImproperlyConfigured: if `condition` is false.
    """
    if not condition:
        msg = f"{name}: {sentence}"
        raise ImproperlyConfigured(msg)
