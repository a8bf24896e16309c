"""One process of a race for codes: `python -m tests.races.paying FIRST STEP HOW`.

It pays every STEPth checkout, from FIRST on. HOW is `through`; or `careless`: as if a code's limit were not asked for;
or the step at which the process stops and waits to be killed: `claimed`, the use of the code is written but not
committed, or `asking`, it is committed and the provider is asked next. It says so when it is there. Otherwise it ends
by telling how often what came of a payment, as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import django

THREADS = 10
TOGETHER = ("through", "careless")
"""These wait for each other; who is to be killed goes ahead."""


def _pay_all(first: int, step: int, how: str) -> Counter[str]:
    """Pay these checkouts, as many at once as there are threads; count what their payers were told."""
    from shop.checkout import services  # noqa: PLC0415 - after django.setup()
    from shop.checkout.models import Checkout  # noqa: PLC0415
    from shop.checkout.types import Principal  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415
    from shop.core.errors import Refusal  # noqa: PLC0415
    from tests.races.process import together  # noqa: PLC0415
    from tests.races.rivals import meet  # noqa: PLC0415

    mine = list(Checkout.objects.order_by("created_at", "pk"))[first::step]
    count = min(THREADS, len(mine))

    def some(number: int) -> list[str]:
        told = []
        for row in mine[number::count]:
            try:
                paid = services.pay(
                    checkout_id=row.checkout_id,
                    principal=Principal(owner=row.owner, user_id=None),
                    method="fake",
                    provider_token="ok",
                    expected_total=row.total_minor,
                    key="k",
                    now=clock.now(),
                )
                told.append(paid.state.value)
            except Refusal as refusal:
                told.append(refusal.code)
        return told

    with together() if how in TOGETHER else nullcontext():
        answers = meet(count, some)
    return Counter(word for answer in answers for word in (answer if isinstance(answer, list) else [repr(answer)]))


def _change(how: str) -> None:
    """Let this process be careless, or stop at a step."""
    from pricing.services import uses  # noqa: PLC0415 - after django.setup()
    from shop.checkout.services import paying, rows  # noqa: PLC0415

    match how:
        case "careless":
            guard = "(max_uses IS NULL OR used < max_uses)"
            assert guard in uses._COUNT
            uses._COUNT = uses._COUNT.replace(guard, "true")
        case "claimed":
            rows.claim_uses = _stop_after(rows.claim_uses, how)
        case "asking":
            paying.charge = _stop_after(lambda *_, **__: None, how)  # type: ignore[attr-defined]


def _stop_after(act: Callable[..., object], where: str) -> Callable[..., Any]:
    def stop(*given: Any, **named: Any) -> None:
        from django.db import connection  # noqa: PLC0415 - after django.setup()

        act(*given, **named)
        with connection.cursor() as cursor:  # how long the test takes to look is not the fault that is looked for
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
        sys.stdout.write(f"{where}\n")
        sys.stdout.flush()
        signal.pause()

    return stop


if __name__ == "__main__":
    django.setup()
    _change(sys.argv[3])
    sys.stdout.write(f"told {json.dumps(_pay_all(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))}\n")
