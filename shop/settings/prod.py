"""Production: everything is named by the environment, and what must not be wrong stops the start with a sentence."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from shop.settings import mails
from shop.settings.base import *
from shop.settings.base import BASE_URL, CHECKOUT, LOG_LEVEL, MAIL_PROVIDER, NOTIFICATIONS, STRIPE, env
from shop.settings.caches import cache
from shop.settings.databases import database
from shop.settings.logs import configure

SHORTEST_SECRET = 50
SHORTEST_KEY = 16


def _required(name: str) -> str:
    """Read a setting that production cannot do without.

    :raises ImproperlyConfigured: if it is unset or empty.
    """
    value = str(env.str(name, ""))
    if not value:
        msg = f"{name} must be set in production."
        raise ImproperlyConfigured(msg)
    return value


def _refuse(condition: object, sentence: str) -> None:
    """Stop the start.

    :raises ImproperlyConfigured: if `condition` holds.
    """
    if condition:
        raise ImproperlyConfigured(sentence)


_refuse(env.bool("DEBUG", False), "DEBUG must not be on in production: its pages show settings and data.")
DEBUG = False
SECRET_KEY = _required("SECRET_KEY")
_refuse(len(SECRET_KEY) < SHORTEST_SECRET, f"SECRET_KEY must have at least {SHORTEST_SECRET} characters.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
_required("ALLOWED_HOSTS")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
_refuse("*" in ALLOWED_HOSTS, "ALLOWED_HOSTS must name the shop's hosts, not *: links in mails would follow any Host.")
_required("BASE_URL")
_refuse(
    urlsplit(BASE_URL).scheme != "https" or not urlsplit(BASE_URL).netloc,
    "BASE_URL must be the shop's address with https://, such as https://shop.example.com.",
)
# A rehearsal of production: everything as there, but nobody pays.
STAGING = env.bool("STAGING", False)
_refuse(
    CHECKOUT.gateway == "fake" and not STAGING,
    "CHECKOUT_GATEWAY=fake is the offline gateway, which takes no money: production must name a real one.",
)
_required("CHECKOUT_WEBHOOK_SECRET")
_required("NOTIFICATIONS_LINK_KEYS")
_required("NOTIFICATIONS_PEPPERS")
for _name, _keys in (("LINK_KEYS", NOTIFICATIONS.keys), ("PEPPERS", NOTIFICATIONS.all_peppers)):
    _refuse(
        any(len(_key) < SHORTEST_KEY for _key in _keys),
        f"NOTIFICATIONS_{_name} must be secrets of at least {SHORTEST_KEY} characters: links in mails rest on them.",
    )
_required("NOTIFICATIONS_POSTAL_ADDRESS")
_refuse(
    CHECKOUT.gateway == "stripe" and not STRIPE.is_live and not STAGING,
    "STRIPE_SECRET_KEY is a key for test mode, in which nobody pays: production must name a live one.",
)
_refuse(
    STRIPE.api_base != "https://api.stripe.com" and not STAGING,
    "STRIPE_API_BASE is for tests: production must ask Stripe itself.",
)
_required("CART_REDIS_URL")

DATABASES = {"default": database(env, _required("DATABASE_URL"), is_pooled=True)}
CACHES = {"default": cache(_required("CACHE_URL"))}
CELERY_BROKER_URL = _required("CELERY_BROKER_URL")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
if MAIL_PROVIDER:
    # Without it anybody could tell us that an address is dead.
    _required("ANYMAIL_WEBHOOK_SECRET")
    globals().update(mails.backend(MAIL_PROVIDER))
else:
    globals().update(env.email_url_config(_required("EMAIL_URL")))

# ---------------------------------------------------------------- https only
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 63_072_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", True)
# Only behind a proxy that sets, and never passes on, X-Forwarded-Proto.
if env.bool("TRUST_X_FORWARDED_PROTO", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True

LOGGING = configure(is_json=True, level=LOG_LEVEL)
