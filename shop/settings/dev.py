"""A developer's machine and `make demo`: the embedded servers when no others are named, mails as files."""

from __future__ import annotations

import dataclasses
import secrets
import sys
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from shop.embedded import addresses

# A developer's own knobs; read before base looks at the environment, which has the last word.
environ.Env.read_env(Path(__file__).resolve().parents[2] / ".env")

from shop.settings import mails
from shop.settings.base import *
from shop.settings.base import BASE_URL, CART, DATA_DIR, LOG_LEVEL, MAIL_PROVIDER, env
from shop.settings.caches import cache
from shop.settings.databases import database
from shop.settings.logs import configure

# These need no server: they read code and write files.
OFFLINE_COMMANDS = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "makemigrations",
        "spectacular",
        "startapp",
        "version",
    },
)


def _urls() -> addresses.Addresses:
    """Take each server from the environment, else from the running demo.

    :raises ImproperlyConfigured: if neither names a server and the command needs one.
    """
    named = {name: env.str(name, "") for name in addresses.NAMES}
    running = addresses.read(DATA_DIR) if not all(named.values()) else None
    if not all(named.values()) and running is None:
        if not OFFLINE_COMMANDS.isdisjoint(sys.argv[1:2] or ["help"]):
            return addresses.nowhere(named)
        missing = ", ".join(name for name, url in named.items() if not url)
        msg = f"No servers are running here: run `make demo`, or set {missing}."
        raise ImproperlyConfigured(msg)
    return addresses.chosen(named, running)


def _secret_key() -> str:
    """Make a key once and keep it beside the data, so that sessions outlive a restart."""
    path = DATA_DIR / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(draft)  # of several processes that start at once the first one's key stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


DEBUG = env.bool("DEBUG", True)
SECRET_KEY = env.str("SECRET_KEY", "") or _secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", ".localhost"])
CSRF_TRUSTED_ORIGINS = [BASE_URL]

_servers = _urls()
DATABASES = {"default": database(env, _servers.database_url, is_pooled=not DEBUG)}
CACHES = {"default": cache(_servers.cache_url)}
CART = dataclasses.replace(CART, redis_url=_servers.cart_redis_url)
CELERY_BROKER_URL = _servers.celery_broker_url

if MAIL_PROVIDER:
    globals().update(mails.backend(MAIL_PROVIDER))
elif env.str("EMAIL_URL", ""):
    globals().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "notifications.mail.EmlFileBackend"
EMAIL_FILE_PATH = str(DATA_DIR / "mail")

WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_USE_FINDERS = DEBUG
LOGGING = configure(is_json=False, level=LOG_LEVEL)
