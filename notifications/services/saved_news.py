"""Find what is new of items that customers saved for later: they cost less, or are back in stock."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction

from cart import selectors as carts
from cart.offers import Offers, list_offers
from cart.types import CartLine, CartRef
from inventory.types import AvailabilityState
from notifications import rules, selectors
from notifications.conf import conf
from notifications.models import Cursor, Message, SavedNews, SoldOut
from notifications.services.detecting import is_behind
from notifications.types import MessageKind, SavedItem, Template, Topic
from shop.core.db import array_text, rows
from shop.core.ids import new_id
from shop.core.money import Money

log = structlog.get_logger(__name__)

BUDGET_SECONDS = 45
PAGE = 200
"""So many customers are looked at in one transaction."""
LATE = timedelta(hours=24)
"""What could not be sent for so long is no news any more."""
_KEY = "saved_news"
_LOCK = 7_104_106  # any number that no other advisory lock has
_MICROSECONDS_A_SECOND = 1_000_000

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(%s, 0)"

_WENT_AWAY = """
INSERT INTO notifications_soldout (sku_id, since)
SELECT sku_id, %(now)s FROM unnest(%(sku_ids)s::text[]) AS w(sku_id)
    ON CONFLICT (sku_id) DO UPDATE SET since = excluded.since, back_at = NULL
 WHERE notifications_soldout.back_at IS NOT NULL
RETURNING sku_id
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """One piece of news, as its row will have it."""

    sku_id: str
    topic: Topic
    saved_at: datetime
    value: int
    was: Money | None = None


def find_saved_news(*, now: datetime, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Make a message for each customer of whose saved items there is news; give the number. Safe to run twice at once.

    Only customers who said yes to such mails are looked at, in order, from a saved place on; each gets one mail within
    `NOTIFICATIONS_SAVED_NEWS_HOURS` at most, with all that is new by then. A lower price is news by the customer's own
    prices, if it is `NOTIFICATIONS_PRICE_DROP_PERCENT` below the price when saved and below what was told before.
    """
    if is_behind():
        log.warning("saved_news_wait_for_the_recorder")
        return 0
    ends, made = time.monotonic() + budget_seconds, 0
    while time.monotonic() < ends:
        with transaction.atomic(durable=not connection.in_atomic_block):
            if not rows(_TAKE_TURN, [_LOCK])[0][0]:
                return made  # another process is at it
            place, _ = Cursor.objects.get_or_create(key=_KEY, defaults={"position_at": now})
            wishes = selectors.list_who_wants_saved_news(after=place.position_id, limit=PAGE)
            made += _look_at(wishes, now)
            is_last = len(wishes) < PAGE
            Cursor.objects.filter(key=_KEY).update(position_at=now, position_id=0 if is_last else max(wishes))
        if is_last:
            return made
    return made


def still_news(told: Iterable[SavedNews], *, saved: Mapping[str, CartLine], offers: Offers) -> tuple[SavedItem, ...]:
    """List what is still so of what was found: saved as then, there to be bought, and no dearer than was found."""
    items: dict[str, SavedItem] = {}
    for row in told:
        line, price = saved.get(row.sku_id), offers.prices.get(row.sku_id)
        if line is None or line.added_at != row.saved_at or price is None or not _is_there(offers, row.sku_id):
            continue
        was, is_back = None, row.topic == Topic.BACK_IN_STOCK.value
        if not is_back:
            if price.currency != row.currency or price.minor > row.value:
                continue
            was = Money(row.was_minor or 0, row.currency)
        before = items.get(row.sku_id)
        items[row.sku_id] = SavedItem(
            card=offers.cards[row.sku_id],
            price=price,
            was=was or (before.was if before else None),
            is_back=is_back or (before is not None and before.is_back),
        )
    return tuple(items.values())


def offers_of(user_id: int, lines: Collection[CartLine], *, now: datetime) -> Offers:
    """Look up what a customer's saved items cost them now, each in the currency of its price when saved."""
    by_currency: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        by_currency[line.price_at_add.currency if line.price_at_add else ""].add(line.sku_id)
    owner = CartRef("u", str(user_id)).owner
    found = [list_offers(sku_ids=ids, now=now, customer=owner, code=code) for code, ids in sorted(by_currency.items())]
    return Offers(
        cards={sku_id: card for one in found for sku_id, card in one.cards.items()},
        prices={sku_id: price for one in found for sku_id, price in one.prices.items()},
        stock={sku_id: stock for one in found for sku_id, stock in one.stock.items()},
    )


def _look_at(wishes: Mapping[int, Collection[Topic]], now: datetime) -> int:
    saved = carts.list_recorded_saved(user_ids=wishes)
    offers = {user_id: offers_of(user_id, lines, now=now) for user_id, lines in saved.items()}
    back = _follow_stock(offers.values(), now)
    told: dict[int, list[SavedNews]] = defaultdict(list)
    for row in SavedNews.objects.filter(user_id__in=saved):
        told[row.user_id].append(row)
    since = now - timedelta(hours=conf().saved_news_hours)
    made = 0
    for user_id, lines in saved.items():
        if any(row.found_at > since for row in told[user_id]):
            continue
        about = (wishes[user_id], offers[user_id], back, told[user_id], now)
        found = [news for line in lines for news in _news_of(line, *about)]
        if found:
            _write(user_id, found, now)
            made += 1
    return made


def _follow_stock(all_offers: Collection[Offers], now: datetime) -> dict[str, SoldOut]:
    """Write down what is sold out and what is back; give those that were seen sold out at some time."""
    seen = {sku_id: one for offers in all_offers for sku_id, one in offers.stock.items()}
    away = [sku_id for sku_id, one in seen.items() if one.state is AvailabilityState.OUT]
    # All reserved by others is neither: units may come back, and nobody is called for that.
    there = [sku_id for sku_id, one in seen.items() if one.available > 0]
    if away:
        rows(_WENT_AWAY, {"sku_ids": array_text(sorted(away)), "now": now})
    SoldOut.objects.filter(sku_id__in=there, back_at__isnull=True).update(back_at=now)
    return SoldOut.objects.in_bulk(list(seen))


def _news_of(
    line: CartLine,
    topics: Collection[Topic],
    offers: Offers,
    away: Mapping[str, SoldOut],
    told: Iterable[SavedNews],
    now: datetime,
) -> Iterable[_Found]:
    sku_id, price, was = line.sku_id, offers.prices.get(line.sku_id), line.price_at_add
    if price is None or not _is_there(offers, sku_id):
        return
    mine = [row for row in told if row.sku_id == sku_id and row.saved_at == line.added_at]
    if Topic.PRICE_DROP in topics and was is not None and was.currency == price.currency:
        before = [row.value for row in mine if row.topic == Topic.PRICE_DROP.value]
        least = conf().price_drop_percent
        if rules.is_cheaper(price.minor, saved_minor=was.minor, told_minor=before, least_percent=least):
            yield _Found(sku_id, Topic.PRICE_DROP, line.added_at, price.minor, was)
    absence = away.get(sku_id)
    if Topic.BACK_IN_STOCK in topics and absence and rules.is_back(absence.back_at, saved_at=line.added_at, now=now):
        value = round(absence.since.timestamp() * _MICROSECONDS_A_SECOND)
        if not any(row.topic == Topic.BACK_IN_STOCK.value and row.value == value for row in mine):
            yield _Found(sku_id, Topic.BACK_IN_STOCK, line.added_at, value)


def _is_there(offers: Offers, sku_id: str) -> bool:
    return offers.is_sold(sku_id) and offers.available(sku_id) > 0


def _write(user_id: int, found: Collection[_Found], now: datetime) -> None:
    message = Message.objects.create(
        kind=MessageKind.SAVED.value,
        template_key=Template.SAVED_NEWS.value,
        public_id=new_id("msg"),
        due_at=now,
        late_after=now + LATE,
        created_at=now,
    )
    SavedNews.objects.bulk_create(
        SavedNews(
            message=message,
            user_id=user_id,
            sku_id=news.sku_id,
            topic=news.topic.value,
            saved_at=news.saved_at,
            value=news.value,
            was_minor=news.was.minor if news.was else None,
            currency=news.was.currency if news.was else "",
            found_at=now,
        )
        for news in found
    )
