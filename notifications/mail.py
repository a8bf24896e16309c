"""A mail backend that writes each mail to a file, and the reading of those files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage as ParsedMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from notifications.types import StoredMail
from shop.core import clock
from shop.core.ids import new_id

BACKEND = "notifications.mail.EmlFileBackend"
_NAME = re.compile(r"[0-9]{8}T[0-9]{12}-eml_[0-9A-Z]{24}\.eml", re.ASCII)


class EmlFileBackend(BaseEmailBackend):
    """Writes `<time>-<id>.eml` into `EMAIL_FILE_PATH`, whole or not at all; any mail program opens such a file."""

    def __init__(self, *, fail_silently: bool = False, file_path: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - Django's signature
        super().__init__(fail_silently=fail_silently)
        self.folder = Path(file_path or settings.EMAIL_FILE_PATH)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the mails; give their number."""
        written = 0
        for message in email_messages:
            try:
                self._write(message)
            except OSError:
                if not self.fail_silently:
                    raise
            else:
                written += 1
        return written

    def _write(self, message: EmailMessage) -> None:
        content = message.message().as_bytes()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{clock.now():%Y%m%dT%H%M%S%f}-{new_id('eml')}.eml"
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def is_in_use() -> bool:
    """Tell whether mails go to files here."""
    return bool(settings.EMAIL_BACKEND == BACKEND)


def list_mails(*, limit: int = 200) -> tuple[StoredMail, ...]:
    """Read the mails in the folder, newest first."""
    folder = Path(settings.EMAIL_FILE_PATH)
    names = sorted((path.name for path in folder.glob("*.eml") if _NAME.fullmatch(path.name)), reverse=True)
    found = (find_mail(name=name) for name in names[:limit])
    return tuple(mail for mail in found if mail is not None)


def find_mail(*, name: str) -> StoredMail | None:
    """Read one mail by its file's name; None if there is no such file."""
    if not _NAME.fullmatch(name):
        return None
    try:
        content = (Path(settings.EMAIL_FILE_PATH) / name).read_bytes()
    except FileNotFoundError:
        return None
    message = BytesParser(policy=policy.default).parsebytes(content)
    return StoredMail(
        name=name,
        written_at=datetime.strptime(name[:21], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC),
        sender=str(message["From"] or ""),
        recipient=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        message_id=str(message["Message-ID"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: ParsedMessage, subtype: str) -> str:
    body = message.get_body(preferencelist=(subtype,))
    return str(body.get_content()) if body is not None else ""
