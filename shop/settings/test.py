"""The tests: names the sockets of the session's own servers; tests/conftest.py starts the servers behind them."""

from __future__ import annotations

import dataclasses
import os

from shop.embedded import addresses
from shop.settings.base import *
from shop.settings.base import CART, DATA_DIR, env
from shop.settings.caches import cache
from shop.settings.databases import database
from shop.settings.logs import configure

# A worker of pytest-xdist inherits the directory from the process that started it.
TEST_SERVERS_DIR = os.environ.get("TEST_SERVERS_DIR") or str(addresses.test_directory(os.getpid()))
os.environ["TEST_SERVERS_DIR"] = TEST_SERVERS_DIR
# Each worker has a database (pytest-django adds its name) and three Redis databases of its own.
TEST_WORKER = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw"))

DEBUG = False
SECRET_KEY = "only-for-tests-" + "0" * 40
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "[::1]"]
BASE_URL = "http://testserver"
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# A slow machine is not the fault that tests look for: they wait for minutes where the shop gives up after seconds.
# Redis servers that a test keeps from answering have URLs of their own, with the shop's patience.
_PATIENCE = "socket_timeout=120&socket_connect_timeout=120"
os.environ.setdefault("DATABASE_LOCK_TIMEOUT_MS", "60000")
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "120000")
# A test is one transaction, and rests for longer than a request ever may.
os.environ.setdefault("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS", "120000")

_own = addresses.in_directory(f"{TEST_SERVERS_DIR}/run")
_own = dataclasses.replace(
    _own, cart_redis_url=f"{_own.cart_redis_url}&{_PATIENCE}", cache_url=f"{_own.cache_url}&{_PATIENCE}"
)
_servers = addresses.for_worker(
    addresses.chosen({name: env.str(name, "") for name in addresses.NAMES}, _own), TEST_WORKER
)
DATABASES = {"default": database(env, _servers.database_url, is_pooled=False)}
CACHES = {"default": cache(_servers.cache_url)}
CART = dataclasses.replace(CART, redis_url=_servers.cart_redis_url)
CELERY_BROKER_URL = _servers.celery_broker_url

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True  # looks at files when asked: nothing is collected for tests
LOGGING = configure(is_json=False, level="WARNING")
