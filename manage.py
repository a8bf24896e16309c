#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

# These commands read or rewrite whole tables; a page's five seconds are not for them.
PATIENT_COMMANDS = frozenset({"migrate", "load_demo", "check_shop"})


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.dev")
    if len(sys.argv) > 1 and sys.argv[1] in PATIENT_COMMANDS:
        os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT_MS", "0")
        os.environ.setdefault("DATABASE_LOCK_TIMEOUT_MS", "30000")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings; a wrong one is told in a sentence, not a trace
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
