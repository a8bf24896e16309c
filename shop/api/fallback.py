"""What lies below /api/ and is no address: a problem, not a page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """Refuse whatever is asked.

    :raises Http404: always.
    """
    raise Http404


urlpatterns: list[URLPattern] = [re_path(r"", nothing_here)]
