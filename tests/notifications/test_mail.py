"""The backend that writes mails to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from pytest_django import Settings

from notifications import mail


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Let mails go to files in a folder that does not exist yet."""
    settings.EMAIL_BACKEND = mail.BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def send(subject: str = "Hello", text: str = "Grüße ‑ 你好") -> None:
    """Send a mail of two parts."""
    message = EmailMultiAlternatives(
        subject, text, "shop@example.com", ["ada@example.com"], connection=get_connection()
    )
    message.attach_alternative(f"<p>{text}</p>", "text/html")
    message.send()


def test_each_mail_is_one_whole_file_that_reads_back(folder: Path) -> None:
    send()
    send("Second")

    assert sorted(path.suffix for path in folder.iterdir()) == [".eml", ".eml"]
    second, first = mail.list_mails()
    assert (first.subject, first.recipient, first.sender) == ("Hello", "ada@example.com", "shop@example.com")
    assert first.text.strip() == "Grüße ‑ 你好"
    assert first.html.strip() == "<p>Grüße ‑ 你好</p>"
    assert second.subject == "Second"


def test_a_mail_that_cannot_be_written_raises_and_leaves_no_file(folder: Path) -> None:
    folder.write_text("a file stands where the folder should be")
    with pytest.raises(OSError, match="exists"):
        send()
    assert folder.is_file()


@pytest.mark.parametrize("name", ["../secret_key", "x.eml", "", "20260101T000000000000-eml_" + "0" * 24 + ".eml"])
def test_only_files_of_its_own_are_read(folder: Path, name: str) -> None:
    send()
    assert mail.find_mail(name=name) is None


def test_an_empty_or_missing_folder_lists_nothing(folder: Path) -> None:
    assert mail.list_mails() == ()
