"""Reminders while workers are killed at random, and while customers order: who is mailed twice, who after ordering.

`python -m tests.bench.killing` runs it on private servers. Workers and buyers are processes that run the shop's own
services against a mail server that keeps books; a worker is killed (SIGKILL) every fraction of a second, and another
one takes its place. `--unguarded` takes the guards away, to see that the books would show it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import django
import psycopg

from shop.embedded import servers
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 75
PAUSE_SECONDS = (0.5, 5.5)
"""Between two kills."""
ANSWER_SECONDS = 0.002
"""How long the mail server takes for its answer: a worker killed meanwhile never hears it."""
_fork = multiprocessing.get_context("fork")  # a new worker within milliseconds, as busy machines have them

_ADDRESSES = """
INSERT INTO account_emailaddress (email, verified, "primary", user_id)
SELECT email, true, true, id FROM accounts_user
"""
_BEGUN = """
SELECT count(*) FILTER (WHERE state IN ('claimed', 'sending') OR (state = 'due' AND due_at < now() + interval '5 min')),
       count(*) FILTER (WHERE state <> 'due')
  FROM notifications_message WHERE kind = 'recovery'
"""
_WAITING = """
SELECT a.user_id FROM notifications_message m JOIN notifications_abandonment a ON a.id = m.abandonment_id
 WHERE m.kind = 'recovery' AND m.state = 'due' ORDER BY random() LIMIT 20
"""
_ENDED = """
SELECT m.public_id, m.state, u.email FROM notifications_message m
  JOIN notifications_abandonment a ON a.id = m.abandonment_id JOIN accounts_user u ON u.id = a.user_id
 WHERE m.kind = 'recovery' AND m.state NOT IN ('due', 'claimed')
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found."""

    messages: int
    workers: int
    kills: int
    seconds: float
    accepted: int
    """Mails that the mail server took, by its own books."""
    duplicates: int
    unknown: int
    unknown_taken: int
    """Of the unknown ones: those that the mail server had taken."""
    never_sent: int
    """Reminders nobody got although no gate was against them: the price of never sending twice."""
    buyers: int
    """Customers who ordered while the mails went out, before a mail of theirs."""
    mailed_after: int
    """Of these: those who got their mail after their order was there."""


class _Books(list[EmailMessage]):
    """Keeps of each mail what it was called, whom it was for, and when it came."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[str, str, float]] = []

    def append(self, mail: EmailMessage) -> None:
        """Write down a mail, then let its sender wait for the answer a moment."""
        self.entries.append((str(mail["Message-ID"]), str(mail["To"]), time.monotonic()))
        time.sleep(ANSWER_SECONDS)


def _take_mails(port: int, ends: Connection) -> None:
    from tests.notifications.helpers import mail_server  # noqa: PLC0415 - after django.setup()

    books = _Books()
    with mail_server(port) as server:
        server.taken = books
        ends.send("ready")
        ends.recv()
    ends.send(books.entries)


def prepare(messages: int) -> None:
    """Let so many customers have left a cart each, enrolled and due."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from notifications import services  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415
    from tests.bench.reminders import CARTS, USERS  # noqa: PLC0415
    from tests.checkout.helpers import make_sku  # noqa: PLC0415
    from tests.notifications.carts import make_campaign  # noqa: PLC0415

    make_sku(on_hand=1_000_000)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(USERS, [messages])
        cursor.execute("UPDATE accounts_user SET is_staff = false")
        cursor.execute(_ADDRESSES)
        cursor.execute(CARTS)
        cursor.execute("VACUUM ANALYZE")
    make_campaign()
    services.detect(now=clock.now(), budget_seconds=600)


def _send(unguarded: bool) -> None:  # noqa: FBT001 - for a process
    from notifications import rules, services  # noqa: PLC0415 - after django.setup()
    from notifications.services import handing  # noqa: PLC0415
    from shop.core import clock  # noqa: PLC0415

    if unguarded:
        handing._TAKE_BACK = handing._TAKE_BACK.replace(
            "CASE WHEN m.state = 'claimed' THEN 'due' ELSE 'unknown' END", "'due'"
        )

        def pass_all(facts: rules.Facts) -> rules.Judgment:
            return rules.PASSED

        rules.evaluate = pass_all
    while True:
        if not services.send_reminders(now=clock.now()):
            time.sleep(0.1)


def _buy(count: int, pause: float, orders: Connection) -> None:
    """Let so many customers who still wait for their mail order, one after another, and tell who had ordered when."""
    from django.db import connection  # noqa: PLC0415 - after django.setup()

    from cart.types import CartRef  # noqa: PLC0415 - after django.setup()
    from shop.core.errors import Refusal  # noqa: PLC0415
    from tests.checkout.helpers import fill, pay, start  # noqa: PLC0415

    waiting: list[int] = []
    for _ in range(count):
        if not waiting:
            with connection.cursor() as cursor:
                cursor.execute(_WAITING)
                waiting = [row[0] for row in cursor.fetchall()]
        if not waiting:
            break
        user_id = waiting.pop()
        ref = CartRef("u", str(user_id))
        with suppress(Refusal):
            view = fill(start(ref), ref, email=f"c{user_id}@example.com")
            pay(view, ref)
            orders.send((user_id, time.monotonic()))
        time.sleep(pause)


def warm_up() -> None:
    """Load once what every worker needs before its first mail: they live for seconds."""
    from django.urls import get_resolver  # noqa: PLC0415 - after django.setup()
    from django.utils import timezone  # noqa: PLC0415

    from notifications.models import Campaign, Step, Variant  # noqa: PLC0415
    from notifications.rules import Facts  # noqa: PLC0415
    from notifications.services import reminders  # noqa: PLC0415
    from notifications.services.judging import Case  # noqa: PLC0415
    from shop.checkout.messages import format_money  # noqa: PLC0415
    from shop.core.money import Money  # noqa: PLC0415

    step = Step(variant=Variant(campaign=Campaign(slug="warm"), key="a"))
    assert get_resolver().url_patterns
    assert reminders.sample(step=step, case=Case(facts=Facts(now=timezone.now()), lines=())).text
    assert format_money(Money(1, "GBP"))


def _state(database_url: str) -> tuple[int, int]:
    with psycopg.connect(database_url) as connection:
        found: Any = connection.execute(_BEGUN).fetchone()
        return found[0], found[1]


def _in_child(target: Any, *given: Any) -> BaseProcess:
    process = _fork.Process(target=target, args=given, daemon=True)
    process.start()
    return process


def _storm(
    database_url: str,
    workers: int,
    *,
    seconds: float,
    unguarded: bool,
    chance: random.Random,
    listen: Callable[[], None],
) -> tuple[int, float]:
    """Let workers send and be killed until nothing is left to send; give how many were killed, and how long it took.

    `listen` is called now and then, so that whoever tells something need not wait.
    """
    running = [_in_child(_send, unguarded) for _ in range(workers)]
    kills, began, asked = 0, time.monotonic(), 0.0
    while True:
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        place = chance.randrange(workers)
        running[place].kill()
        running[place].join()
        running[place] = _in_child(_send, unguarded)
        kills += 1
        listen()
        if time.monotonic() - asked > 2:
            asked = time.monotonic()
            left, begun = _state(database_url)
            print(f"  {begun:,} begun, {left:,} left, {kills} kills", file=sys.stderr, flush=True)  # noqa: T201
            if not left or asked - began > seconds:
                break
    took = time.monotonic() - began
    for process in running:
        process.kill()
        process.join()
    return kills, took


def measure(
    *,
    messages: int,
    buyers: int,
    shoppers: int,
    workers: int,
    rate: float,
    seconds: float,
    unguarded: bool,
    seed: int,
) -> Figures:
    """Measure on the servers of this process's environment."""
    warm_up()
    chance, database_url = random.Random(seed), os.environ["DATABASE_URL"]
    here, there = _fork.Pipe()
    server = _in_child(_take_mails, int(os.environ["EMAIL_URL"].rpartition(":")[2]), there)
    assert here.recv() == "ready"
    preparing = _in_child(prepare, messages)
    preparing.join()
    assert preparing.exitcode == 0
    told, orders = _fork.Pipe(duplex=False)
    buying = [_in_child(_buy, buyers // shoppers, shoppers / rate, orders) for _ in range(shoppers)]
    bought: dict[int, float] = {}

    def listen() -> None:
        while told.poll():
            user_id, at = told.recv()
            bought[user_id] = at

    kills, took = _storm(database_url, workers, seconds=seconds, unguarded=unguarded, chance=chance, listen=listen)
    for shopper in buying:
        shopper.kill()
        shopper.join()
    listen()
    here.send("stop")
    entries: list[tuple[str, str, float]] = here.recv()
    server.join()
    with psycopg.connect(database_url) as connection:
        ended = connection.execute(_ENDED).fetchall()
    return _count(
        entries, ended, {f"c{user_id}@example.com": at for user_id, at in bought.items()}, kills, took, workers
    )


def _count(
    entries: list[tuple[str, str, float]],
    ended: list[Any],
    ordered: dict[str, float],
    kills: int,
    took: float,
    workers: int,
) -> Figures:
    taken = Counter(message_id.strip("<>").partition("@")[0] for message_id, _, _ in entries)
    first: dict[str, float] = {}
    for _, to, at in entries:
        first.setdefault(to, at)
    # What a killed worker had begun is `unknown` as soon as its lease is over.
    unknown = [public_id for public_id, state, _ in ended if state in ("unknown", "sending")]
    raced = {email: at for email, at in ordered.items() if email not in first or first[email] > at}
    return Figures(
        messages=len(ended),
        workers=workers,
        kills=kills,
        seconds=took,
        accepted=len(entries),
        duplicates=sum(taken.values()) - len(taken),
        unknown=len(unknown),
        unknown_taken=sum(1 for public_id in unknown if public_id in taken),
        never_sent=sum(1 for public_id in unknown if public_id not in taken),
        buyers=len(raced),
        mailed_after=sum(1 for email in raced if email in first),
    )


def main() -> None:
    """Run on private servers, in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--buyers", type=int, default=6_000, help="customers who try to order meanwhile")
    parser.add_argument("--shoppers", type=int, default=5, help="processes in which they order")
    parser.add_argument("--rate", type=float, default=20.0, help="orders a second, at most")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3_600, help="ends it sooner; only what was begun counts then")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unguarded", action="store_true", help="without the mark and the gates at sending")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        django.setup()
        given = {name: value for name, value in vars(options).items() if name != "inside"}
        print(measure(**given))  # noqa: T201
        return
    with tempfile.TemporaryDirectory(prefix="trolley-bench-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        with servers.running(path / "servers") as addresses:
            environment = {
                **os.environ,
                **addresses.environment(),
                "DJANGO_SETTINGS_MODULE": "shop.settings.dev",
                "DEBUG": "false",
                "LOG_LEVEL": "CRITICAL",
                "DATA_DIR": str(path / "data"),
                "EMAIL_URL": f"smtp://127.0.0.1:{free_port()}",
                "NOTIFICATIONS_RATE_PER_SECOND": "10000",
                "NOTIFICATIONS_RATE_PER_DOMAIN": "0",
                "NOTIFICATIONS_LEASE_SECONDS": str(LEASE_SECONDS),
            }
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
            argv = [sys.executable, "-m", "tests.bench.killing", "--inside", *sys.argv[1:]]
            subprocess.run(argv, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
