"""The floors that our answers are measured against, in a Django without middleware.

`/floor` is one `HGETALL` and one `JsonResponse`. `/asking` waits for what a change of a cart has to wait for and does
nothing else: two statements by primary key, prepared, on a pooled connection, and one script of Redis that writes a
field. Served by the same server with the same number of processes and threads as the shop.
"""

from __future__ import annotations

import os
from typing import Any

import environ
import redis
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from shop.core.db import prepared
from shop.settings.databases import database
from tests.bench.stack import FLOOR_KEY

_client = redis.Redis.from_url(os.environ["CART_REDIS_URL"], decode_responses=True)


def floor(request: HttpRequest) -> JsonResponse:
    """Answer the ten fields of one hash."""
    return JsonResponse(_client.hgetall(FLOOR_KEY))


def asking(request: HttpRequest) -> JsonResponse:
    """Answer the ten fields of one hash after writing one of them, and after two statements about one SKU."""
    sku_id = request.GET["sku_id"]
    prepared("SELECT sku_id, options, is_sellable FROM catalog_sku WHERE sku_id = ANY(%s)", [[sku_id]])
    prepared("SELECT sku_id, on_hand, reserved FROM inventory_stockitem WHERE sku_id = ANY(%s)", [[sku_id]])
    fields: list[Any] = _write(keys=[FLOOR_KEY], args=["SKU-0", request.body])
    return JsonResponse(dict(zip(fields[::2], fields[1::2], strict=True)))


_write = _client.register_script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('HGETALL', KEYS[1])")

urlpatterns = [path("floor", floor), path("asking", asking)]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": database(environ.Env(), os.environ["DATABASE_URL"], is_pooled=True)},
        MIDDLEWARE=[],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only-for-measuring",
    )
application = get_wsgi_application()
