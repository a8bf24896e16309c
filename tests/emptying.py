"""Empties the database after a test that commits: only the tables that hold something, and nothing made anew.

Django's own way truncates every table and then makes content types, permissions and groups again, a third of a second
for each such test. Here those tables stay, unless the test changed them; then Django's way is taken.
"""

from __future__ import annotations

from functools import cache

from django.core.management import call_command
from django.db import connection, transaction

_MADE_AT_MIGRATION = (
    "django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions",
)  # fmt: skip
_WHAT_MIGRATION_MADE = """
    SELECT md5(concat((SELECT string_agg(g::text, ',' ORDER BY g.id) FROM auth_group AS g),
                      (SELECT string_agg(r::text, ',' ORDER BY r.id) FROM auth_group_permissions AS r),
                      (SELECT string_agg(p::text, ',' ORDER BY p.id) FROM auth_permission AS p)))
"""


def empty(made: str) -> None:
    """Delete every row that a test has left; `made` is what `what_migration_made` said before the first test.

    Waits for whoever is still writing: a row that a late thread commits would be the next test's.
    """
    if not _may_silence_triggers() or what_migration_made() != made:
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        return
    tables = _tables()
    names = ", ".join(f'"{name}"' for name in tables)
    looks = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in tables)  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '60s'; LOCK TABLE {names} IN EXCLUSIVE MODE")
        cursor.execute(looks)
        filled = [name for (name,) in cursor.fetchall()]
        # Neither foreign keys nor the triggers that keep ledgers from being rewritten are asked.
        deletions = "; ".join(f'DELETE FROM "{name}"' for name in filled)  # noqa: S608
        if filled:
            cursor.execute(f"SET LOCAL session_replication_role = replica; {deletions}")


def what_migration_made() -> str:
    """Give a fingerprint of the permissions, and of the groups and their rights."""
    with connection.cursor() as cursor:
        cursor.execute(_WHAT_MIGRATION_MADE)
        return str(cursor.fetchone()[0])


@cache
def _tables() -> tuple[str, ...]:
    return tuple(name for name in sorted(connection.introspection.table_names()) if name not in _MADE_AT_MIGRATION)


@cache
def _may_silence_triggers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])
