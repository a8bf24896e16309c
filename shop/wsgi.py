"""What a web server runs: granian or gunicorn on `shop.wsgi`."""

from __future__ import annotations

import os

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.prod")

application = get_wsgi_application()


def require_static_files() -> None:
    """Start nothing that could not draw a single page, not even one that says so.

    :raises ImproperlyConfigured: if the static files were not collected where they are looked for.
    """
    collected = getattr(staticfiles_storage, "hashed_files", None)
    if not settings.DEBUG and collected == {}:
        raise ImproperlyConfigured("No static files are in STATIC_ROOT: run `manage.py collectstatic --noinput` first.")


require_static_files()
