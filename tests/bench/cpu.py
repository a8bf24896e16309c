"""How much CPU time PostgreSQL takes, where it runs on the machine that measures."""

from __future__ import annotations

import os
from pathlib import Path


def server_seconds() -> float:
    """Read how much CPU time PostgreSQL and its sessions, those that are over too, have taken so far."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()[0]
    used = {int(path.name): _times(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    main = used[own][0]
    mine = [ticks for pid, (parent, ticks) in used.items() if main in (pid, parent)]
    return sum(mine) / os.sysconf("SC_CLK_TCK")


def _times(process: Path) -> tuple[int, int]:
    """Give a process's parent, and the clock ticks that it and its children that are over have run."""
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it is over
        return 0, 0
    return int(fields[1]), sum(map(int, fields[11:15]))
