"""The picture in a mail whose reader has agreed that it tells when it is opened."""

from __future__ import annotations

import base64

from django.http import HttpRequest, HttpResponse
from django.views import View

from notifications import links, services
from notifications.links import Purpose
from shop.core import clock
from shop.core.http import network_address

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
"""One transparent point."""
_MOST_OF_AGENT = 500


class OpenView(View):
    """Always the same picture, whoever asks and whatever for; a GET with a token of ours is noted."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Note it, and show the picture. A HEAD, which only scanners make, notes nothing."""
        link_hash = links.read_token(Purpose.OPEN, token)
        if link_hash and request.method == "GET":
            agent = request.headers.get("User-Agent", "")[:_MOST_OF_AGENT]
            source = links.source_hash(network_address(request))
            services.note_open(link_hash=link_hash, user_agent=agent, source=source, now=clock.now())
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
        return HttpResponse(GIF, content_type="image/gif", headers=headers)
