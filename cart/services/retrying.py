"""Recording what could not be recorded before."""

from __future__ import annotations

import json

from django.db import DataError, transaction

from cart import recording
from cart.errors import DeadLetterStandsError
from cart.models import DeadLetter
from cart.stream import Entry


def retry_dead_letter(*, letter_id: int) -> bool:
    """Record a dead letter's change, or else the live cart of its owner, and delete the letter.

    Never over what is as new or newer. False: there is no such letter (any more), nothing was to be done.

    :raises DeadLetterStandsError: if neither can be recorded; the letter stays.
    :raises CartsUnavailableError: if Redis is needed and cannot answer now.
    """
    with transaction.atomic(durable=True):
        letter = DeadLetter.objects.select_for_update().filter(pk=letter_id).first()
        if letter is None:
            return False
        if not _record_letter(letter) and not _record_live(letter.owner):
            raise DeadLetterStandsError
        letter.delete()
        return True


def _record_letter(letter: DeadLetter) -> bool:
    try:
        fields = {str(name): str(value) for name, value in json.loads(letter.fields).items()}
        recording.write([recording.read_entry(Entry(letter.partition, letter.entry_id, fields))])
    except (ValueError, AttributeError, DataError):
        return False
    return True


def _record_live(owner: str) -> bool:
    try:
        snapshot = recording.read_live(owner) if owner else None
        if snapshot is None:
            return False
        recording.write([snapshot])
    except (ValueError, DataError):
        return False
    return True
