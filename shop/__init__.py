"""The project, and the host shop around the four apps."""

from shop.celery import app as celery_app

__all__ = ["celery_app"]
