"""One database made by the migrations, and a copy of it for each worker of pytest-xdist."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.db import connection

_TEMPLATE = "template_of_tests"


def copy_one_for_all() -> None:
    """Let this worker's database be a copy of the one that the migrations made, which the first worker to come makes.

    Only on the session's own server: what a database of that name holds elsewhere, nobody knows.
    """
    lock = Path(settings.TEST_SERVERS_DIR) / "template.lock"
    if "PYTEST_XDIST_WORKER" not in os.environ or not lock.parent.exists() or os.environ.get("DATABASE_URL"):
        return
    with lock.open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [_TEMPLATE])
            is_there = cursor.fetchone() is not None
        connection.close()
        if not is_there:
            _make_template()
    # Nothing is left to migrate; content types and permissions are looked for once more.
    connection.settings_dict["TEST"] |= {"TEMPLATE": _TEMPLATE, "MIGRATE": False}


def _make_template() -> None:
    config, draft = connection.settings_dict, f"{_TEMPLATE}_draft"
    own, of_tests = config["NAME"], config["TEST"]["NAME"]
    config["TEST"]["NAME"] = draft
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    config["NAME"] = settings.DATABASES[connection.alias]["NAME"] = own
    config["TEST"]["NAME"] = of_tests
    with connection.cursor() as cursor:  # whole, or not there
        cursor.execute(f"ALTER DATABASE {draft} RENAME TO {_TEMPLATE}")
    connection.close()
