"""What every environment shares. One name a knob, read from the environment; `.env.example` lists them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.conf.locale import LANG_INFO

from cart.conf import CartConf
from inventory.conf import InventoryConf
from notifications.conf import NotificationsConf
from pricing.conf import PricingConf
from shop.celery import beat_schedule
from shop.checkout.conf import CheckoutConf, StripeConf
from shop.core.conf import ApiConf
from shop.core.settings import load, require
from shop.settings import mails
from shop.watch.conf import WatchConf

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.Env()

DATA_DIR = Path(env.str("DATA_DIR", "var"))
if not DATA_DIR.is_absolute():
    DATA_DIR = BASE_DIR / DATA_DIR

# ---------------------------------------------------------------- the apps' own settings
CART = load(CartConf, os.environ, prefix="CART_")
PRICING = load(PricingConf, os.environ, prefix="PRICING_")
INVENTORY = load(InventoryConf, os.environ, prefix="INVENTORY_")
NOTIFICATIONS = load(NotificationsConf, os.environ, prefix="NOTIFICATIONS_")
CHECKOUT = load(CheckoutConf, os.environ, prefix="CHECKOUT_")
STRIPE = load(StripeConf, os.environ, prefix="STRIPE_")
require(
    CHECKOUT.gateway != "stripe" or STRIPE.secret_key, "STRIPE_SECRET_KEY", "must be set with CHECKOUT_GATEWAY=stripe."
)
require(
    CART.guest_storage != "client" or len(PRICING.list_regions()) == 1,
    "PRICING_REGIONS",
    "several regions need CART_GUEST_STORAGE=server: a cart in the browser knows one currency.",
)
API = load(ApiConf, os.environ, prefix="API_")
WATCH = load(WatchConf, os.environ, prefix="WATCH_")

# ---------------------------------------------------------------- Django
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
BASE_URL = env.str("BASE_URL", "http://localhost:8000").rstrip("/")

INSTALLED_APPS = [
    # The shop first: its templates and commands win.
    "shop.core",
    "shop.catalog",
    "shop.accounts",
    "shop.checkout",
    "shop.watch",
    "shop.personal",
    "cart",
    "pricing",
    "inventory",
    "notifications",
    "shop.watch.admin_app.ShopAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "django_structlog",
    "csp",
]

# None of these may touch the session, the user or the messages of a public page: that would add `Vary: Cookie`.
MIDDLEWARE = [
    "shop.core.web.middleware.request_log",
    "shop.core.web.middleware.kept_nowhere",
    "django.middleware.security.SecurityMiddleware",
    # Everything that goes wrong further in, under /api/, leaves as a problem and never as HTML.
    "shop.core.problems.ApiProblemMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shop.core.web.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "cart.api.reading.guest_reads",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "shop.core.web.middleware.locale",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop.core.web.middleware.LazyMessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "pricing.regions.visitors_region",
    # After a sign-in or sign-out the answer tells the browser about its cart.
    "cart.middleware.cart_cookies",
]

if CART.edge_cache:
    MIDDLEWARE.insert(0, "cart.middleware.edge_vary")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# ---------------------------------------------------------------- sessions
# In the cache, and in PostgreSQL behind it. A session is written only at sign-in, sign-out and by staff, so the table
# costs a statement there and none on a read; without it, losing the cache would sign everybody out in mid-checkout,
# and Django would try ten thousand keys against a dead server before it gave up.
SESSION_ENGINE = "shop.accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "shop.core.web.errors.csrf_failure"

# ---------------------------------------------------------------- accounts
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "notifications.web.signing_up.SignupForm"
# A first purchase does not wait for a mail.
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# Whoever finds a browser signed in does not get the account by naming a mail address of their own.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_ADAPTER = "shop.accounts.adapter.AccountAdapter"
HEADLESS_CLIENTS = ("app",)
HEADLESS_ADAPTER = "shop.accounts.adapter.HeadlessAdapter"

# ---------------------------------------------------------------- the API
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_PARSER_CLASSES": ["shop.core.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "shop.core.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # -- who calls: the API's own block
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "shop.accounts.api.authentication.SessionTokenAuthentication",
        "shop.accounts.api.authentication.WebSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_THROTTLE_CLASSES": [],
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    # -- end of that block
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Trolley",
    "DESCRIPTION": "Cart, catalog, checkout and orders, for mobile apps and single-page fronts.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.api.schema.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AvailabilityState": "inventory.types.AvailabilityState",
        "ReservationState": "inventory.types.ReservationState",
        "CheckoutState": "shop.checkout.types.CheckoutState",
        "PaymentState": "shop.checkout.types.PaymentState",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# ---------------------------------------------------------------- words, times
_LANGUAGES = env.list("LANGUAGES", default=["en-gb"])
for _code in _LANGUAGES:
    require(_code in LANG_INFO, "LANGUAGES", f"{_code} is no language that Django knows; write them like en-gb,de.")
require(
    _LANGUAGES and len(set(_LANGUAGES)) == len(_LANGUAGES),
    "LANGUAGES",
    "must name each language once, the default first.",
)
LANGUAGE_CODE = _LANGUAGES[0]
LANGUAGES = [(_code, "English" if _code == "en-gb" else LANG_INFO[_code]["name_local"]) for _code in _LANGUAGES]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 86_400
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# ---------------------------------------------------------------- static files
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "shop" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 0  # of the unhashed names; hashed ones are immutable
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Pictures and fonts are compressed already; source maps are for a developer's machine.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "webp", "woff", "woff2", "gz", "br", "map")

# ---------------------------------------------------------------- what a browser may do
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        # The button that pays leads on to the provider's page, and browsers ask this for every step of the way.
        "form-action": [SELF, "https://checkout.stripe.com"] if CHECKOUT.gateway == "stripe" else [SELF],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# 64 KB is the largest body the API takes (it answers 413 itself); forms are smaller.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
FILE_UPLOAD_HANDLERS = ["shop.core.web.uploads.SmallUploads"]

# ---------------------------------------------------------------- mail
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Trolley <shop@example.com>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
MAIL_PROVIDER = mails.provider(os.environ)
ANYMAIL = mails.options(os.environ)

# ---------------------------------------------------------------- Celery: a wake-up, nothing more
CELERY_TIMEZONE = "UTC"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
# A wake-up that cannot be sent is not worth waiting for: the schedule's next one finds the same rows.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10, "visibility_timeout": 300}
# The schedule is code; a file that remembers it would only be one more thing to go stale.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = beat_schedule(
    sweep_seconds=INVENTORY.sweep_seconds,
    dispatch_seconds=NOTIFICATIONS.dispatch_seconds,
    scan_seconds=NOTIFICATIONS.scan_seconds,
)

# ---------------------------------------------------------------- logs
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
