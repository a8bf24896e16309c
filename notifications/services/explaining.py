"""Tell staff who would get a reminder and why not, and show or send them a step, without anything being written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.mail import get_connection

from cart import idle
from notifications import rules
from notifications.models import Campaign, Step
from notifications.rules import Judgment
from notifications.services import judging, reminders, rendering
from notifications.services.judging import Case
from notifications.types import Letter
from shop.core.ids import new_id


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the gates say about one customer now, in their order."""

    judgments: tuple[Judgment, ...]
    case: Case
    language: str

    @property
    def verdict(self) -> Judgment:
        """The first that does not pass."""
        return next((said for said in self.judgments if said.reason), rules.PASSED)


def explain(*, campaign: Campaign, user_id: int, now: datetime) -> Explanation | None:
    """Ask all gates about a customer's recorded cart, as detection and sending would now; None without a cart."""
    record = idle.find_recorded(user_id=user_id)
    if record is None:
        return None
    around = judging.look_around(user_ids=[user_id], now=now)[user_id]
    case = judging.gather(
        campaign=campaign, record=record, around=around, now=now, abandoned_at=record.last_activity_at
    )
    return Explanation(judgments=rules.explain(case.facts), case=case, language=around.profile.language)


def preview(*, step: Step, explanation: Explanation) -> Letter:
    """Render a step for a customer's cart; its links lead to the shop's first page."""
    return reminders.sample(step=step, case=explanation.case, language=explanation.language)


def send_test(*, step: Step, explanation: Explanation, to: str) -> None:
    """Send a step to a member of staff. No message is written, and no counter moves.

    :raises OSError, SMTPException: if the mail server does not take it.
    """
    letter = preview(step=step, explanation=explanation)
    shown = Letter(
        recipient=to, subject=f"[TEST] {letter.subject}", text=letter.text, html=letter.html, language=letter.language
    )
    rendering.mail(shown, public_id=new_id("test"), connection=get_connection()).send()
