"""The demo's reminders: a campaign with a past, and the first mails at once."""

from __future__ import annotations

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from pytest_django import Settings

from notifications.management.commands import load_demo_reminders
from notifications.models import Abandonment, Campaign, Message
from tests.notifications.carts import run

pytestmark = pytest.mark.django_db


def test_the_first_mails_go_at_once_to_the_demos_own_people_and_a_second_run_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_demo_reminders, "PAST_EVENTS", 600)  # a tenth of the past
    call_command("load_demo")
    call_command("load_demo_reminders")
    before = Abandonment.objects.count(), Message.objects.count()
    call_command("load_demo_reminders")
    assert (Abandonment.objects.count(), Message.objects.count()) == before
    assert Campaign.objects.get().state == "running"

    assert run() == 3
    assert {sent.to[0] for sent in mail.outbox} == {"grace@example.com", "alan@example.com", "mary@example.com"}
    assert Message.objects.filter(state="ghost").count() > 30


def test_no_past_is_made_up_in_production(settings: Settings) -> None:
    settings.SETTINGS_MODULE = "shop.settings.prod"
    with pytest.raises(CommandError):
        call_command("load_demo_reminders")
    with pytest.raises(CommandError):
        call_command("age_carts")
