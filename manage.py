#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

# These commands read or rewrite whole tables; a page's five seconds are not for them. How long each waits for a lock:
# whoever comes after a migration that waits for one waits behind it, so that one gives up soon.
PATIENT_COMMANDS = {"migrate": "2000", "load_demo": "30000", "check_shop": "30000"}
LOCK_NOT_AVAILABLE = "55P03"


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.dev")
    if len(sys.argv) > 1 and sys.argv[1] in PATIENT_COMMANDS:
        os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "0")
        os.environ.setdefault("DATABASE_LOCK_TIMEOUT_MS", PATIENT_COMMANDS[sys.argv[1]])
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings; a wrong one is told in a sentence, not a trace
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if sys.argv[1] != "migrate" or getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        sys.exit("A table is in use: no lock within 2 s, so that nobody waits behind this. Run it again.")


if __name__ == "__main__":
    main()
