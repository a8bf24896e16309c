"""The floor that our answers are measured against: a bare Django view, one `HGETALL`, one `JsonResponse`.

Served by the same server with the same number of processes and threads as the shop.
"""

from __future__ import annotations

import os

import redis
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.bench.stack import FLOOR_KEY

_client = redis.Redis.from_url(os.environ["CART_REDIS_URL"], decode_responses=True)


def floor(request: HttpRequest) -> JsonResponse:
    """Answer the ten fields of one hash."""
    return JsonResponse(_client.hgetall(FLOOR_KEY))


urlpatterns = [path("floor", floor)]

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
        ROOT_URLCONF=__name__,
        SECRET_KEY="only-for-measuring",
    )
application = get_wsgi_application()
