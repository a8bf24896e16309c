"""A scripted mail server: it answers as it is told, and keeps what it took."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pgtrigger
from django.db.models import QuerySet

from notifications.models import Message
from tests.waiting import PATIENCE_SECONDS


def put_into(state: str, messages: QuerySet[Message] | None = None, **fields: Any) -> None:
    """Write a state that a message cannot get into by itself from where it is: all of them, or these."""
    with pgtrigger.ignore("notifications.Message:message_moves", "notifications.Message:message_sent_is_final"):
        (Message.objects.all() if messages is None else messages).update(state=state, **fields)


@dataclass(slots=True)
class MailServer:
    """What the server says next and what it has taken. Each answer is used once; afterwards it accepts."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    """To the end of a mail's data: an SMTP reply, `drop` (take it, say nothing, hang up), `cut` (hang up at once) or
    `hang` (say nothing until the client hangs up).
    """
    recipients: list[str] = field(default_factory=list)
    """To RCPT: replies, used once each."""
    taken: list[EmailMessage] = field(default_factory=list)
    connections: int = 0

    @property
    def message_ids(self) -> list[str]:
        """List the Message-IDs of the mails taken."""
        return [str(mail["Message-ID"]) for mail in self.taken]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    script: MailServer


class _Handler(socketserver.StreamRequestHandler):
    timeout = PATIENCE_SECONDS
    server: _Server

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        script = self.server.script
        script.connections += 1
        self.say("220 test")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"QUIT":
                self.say("221 bye")
                return
            if verb == b"RCPT" and script.recipients:
                self.say(script.recipients.pop(0))
            elif verb == b"DATA":
                if not self.take():
                    return
            else:
                self.say("250 ok")

    def take(self) -> bool:
        """Take a mail's data; tell whether the connection goes on."""
        self.say("354 go on")
        content = b""
        while (line := self.rfile.readline()) != b".\r\n":
            content += line
        script = self.server.script
        answer = script.answers.pop(0) if script.answers else "250 ok"
        if answer == "drop" or answer.startswith("250"):
            script.taken.append(BytesParser(policy=policy.default).parsebytes(content))
        if answer == "hang":
            self.rfile.read(1)
        if answer in ("drop", "cut", "hang"):
            return False
        self.say(answer)
        return True


@contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    """Run a mail server on the loopback; port 0 takes a free one."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.script = MailServer(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.script
        finally:
            server.shutdown()
            thread.join()
