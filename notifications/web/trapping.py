"""The link in a mail that no reader sees: who follows it is a program that follows them all."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifications import links, services
from notifications.links import Purpose
from notifications.web.base import LinkPageView, told
from shop.core import clock
from shop.core.http import network_address


class TrapView(LinkPageView):
    """A page for nobody, which is friendly to whoever finds it all the same."""

    purpose = Purpose.TRAP
    http_method_names = ["get", "head", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Note from where it was followed. A HEAD notes nothing, as with the other links."""
        message = self.by_token(request, token)
        if request.method == "GET":
            source = links.source_hash(network_address(request))
            services.note_trap(message=message, source=source, now=clock.now())
        detail = _("This link shows us which programs follow all links of a mail. It leads nowhere.")
        return told(request, title=_("There is nothing here"), detail=detail, status=200, text=_("Keep shopping"))
