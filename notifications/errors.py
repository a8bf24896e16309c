"""Refusals of notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from shop.core.errors import ConflictError, NotFoundError, RejectedError


@dataclass(eq=False)
class CampaignNotReadyError(RejectedError):
    """A campaign cannot start: `problem` says which of its parts is missing or wrong."""

    code: ClassVar[str] = "campaign_not_ready"
    problem: str = ""


@dataclass(eq=False)
class CampaignStateError(ConflictError):
    """A campaign in this state cannot do that."""

    code: ClassVar[str] = "campaign_state"
    state: str = ""


@dataclass(eq=False)
class LinkUnknownError(NotFoundError):
    """No reminder was sent with this link, or it was altered."""

    code: ClassVar[str] = "link_unknown"
