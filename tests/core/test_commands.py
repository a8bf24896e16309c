"""Commands that are called wrongly say how they are meant, do nothing, and end with an error."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    "called",
    [
        *(
            (name, "--nonsense")
            for name in (
                *("check_shop", "reconcile_prices", "export_saved_lines", "record_cart_events", "age_carts"),
                *("load_demo", "load_demo_reminders", "export_customer", "erase_customer"),
            )
        ),
        ("export_customer",),
        ("check_shop", "nothing_of_the_kind"),
        *(("reconcile_prices", "--days", days) for days in ("0", "-1", "1e3", "٣", "999999999999", "soon")),
        ("export_saved_lines", "--customer", "Ada"),
        ("export_saved_lines", "--format", "xml"),
    ],
)
def test_a_wrong_call_does_nothing_and_says_how_it_is_meant(called: tuple[str, ...]) -> None:
    # No database is asked for: whoever touched it would fail here with another error.
    with pytest.raises(CommandError):
        call_command(*called)
