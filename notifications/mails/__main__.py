"""`make mails`: write the templates of the mails from their sources."""

from __future__ import annotations

from notifications.mails import compiled

for path, content in compiled().items():
    path.write_text(content, encoding="utf-8")
