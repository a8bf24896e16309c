"""Settings of notifications (`NOTIFICATIONS_…`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings

from shop.core.clock import is_zone
from shop.core.settings import require

OPT_OUT, OPT_IN = "opt_out", "opt_in"
_HOUR = 3_600
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_RATE = re.compile(r"[A-Z]{3}:[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class NotificationsConf:
    """What a shop may set."""

    dispatch_seconds: int = 10
    """How often due mails are looked for."""
    lease_seconds: int = 300
    """How long a worker may hold a mail it claimed."""
    idle_threshold_seconds: int = 3_600
    """When a cart counts as left behind, in a new campaign: 1 to 4 hours."""
    max_age_hours: int = 72
    """Carts that were left longer ago are no longer found, in a new campaign."""
    max_lateness_hours: int = 6
    """A reminder that could not go for so long is cancelled, in a new campaign."""
    cooldown_days: int = 7
    """How long a customer gets no other first reminder, in a new campaign."""
    outcome_days: int = 7
    """For how long orders count, in a new campaign."""
    holdout_bp: int = 1_000
    """How many customers in 10,000 get no mail, in a new campaign."""
    quiet_start: str = "21:00"
    """From when on nobody is written to, by the customer's clock, in a new campaign and with news of saved items."""
    quiet_end: str = "08:00"
    """Until when; the same time twice: never quiet."""
    scan_seconds: int = 60
    """How often idle carts are looked for."""
    batch: int = 5_000
    """How many idle carts are looked at in one transaction."""
    rate_per_second: int = 14
    """How fast reminders go out, over all workers."""
    rate_per_domain: int = 10
    """How fast reminders go to one receiving domain, such as gmail.com, over all workers; 0: as fast as to all."""
    daily_cap: int = 0
    """Most reminders a day (UTC) over all campaigns, while a new sender warms up; 0: any number."""
    max_a_month: int = 4
    """Most reminders to one customer within 30 days, over all campaigns."""
    click_days: int = 5
    """A click or a restore counts for orders within so many days, in a new campaign."""
    report_currency: str = ""
    """The currency in which reports compare money; unset: that with most in it, and only what is in it."""
    report_rates: str = ""
    """What one unit of other currencies is worth in it: `EUR:0.86,JPY:0.0053`. Without a rate its money is left out."""
    margin_bp: int = 0
    """How much of the prices is margin, in 10,000, for reports: 4000 is 40 per cent; 0: they tell nothing of it."""
    count_opens: bool = False
    """Whether customers may agree to let their reminders tell when they are opened; off: no mail can tell it."""
    code_cooldown_days: int = 90
    """Whoever got a discount code with a reminder gets no other one for so long."""
    price_drop_percent: int = 5
    """A saved item that costs so many per cent less than when it was saved is news, for customers who asked for it."""
    saved_news_hours: int = 24
    """A customer gets one mail with news of saved items within so many hours at most."""
    retention_months: int = 13
    """How long carts, the content of mails and visits are kept with reminders; the counts stay."""
    default_time_zone: str = "Europe/London"
    """Quiet hours are told by this clock for customers of whom neither time zone nor country is known."""
    consent_policy: str = OPT_OUT
    """`opt_out`: customers may be reminded until they say no. `opt_in`: only those who said yes. EU: `opt_in`."""
    country_policy: str = ""
    """Where another policy holds, by country of the last order: `DE:opt_in,FR:opt_in`."""
    strip_plus_tags: bool = False
    """Whether `ada+shop@example.com` is suppressed together with `ada@example.com`."""
    link_keys: str = "offline-links"
    """Sign the links in reminders; newest first, separated by commas. Mails are kept for years: keep old keys, too."""
    peppers: str = "offline-pepper"
    """Key the hashes of suppressed addresses; newest first, separated by commas. A lost one frees its addresses."""
    link_base_url: str = ""
    """What links in reminders begin with, at most 35 characters; unset: `BASE_URL`."""
    unsubscribe_mailbox: str = ""
    """A domain, at most 30 characters, whose incoming mails the provider passes to /hooks/mail/inbound/: reminders can
    be opted out of by a mail, too. Unset: only by link."""
    from_address: str = ""
    """Who sends reminders; unset: `DEFAULT_FROM_EMAIL`."""
    reply_to: str = ""
    """Who reads the answers to reminders; unset: the sender."""
    message_id_domain: str = ""
    """What stands behind the @ in the Message-ID of mails; unset: their sender's domain."""
    list_id: str = ""
    """A domain: what `List-Id` ends with, behind the kind of mail (`cart-reminders.`); unset: the sender's."""
    postal_address: str = "Trolley, 1 Example Street, London"
    """Stands in each reminder, as the law of many countries asks."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        require(1 <= self.dispatch_seconds <= _HOUR, "NOTIFICATIONS_DISPATCH_SECONDS", "must be from 1 to 3600.")
        require(10 <= self.lease_seconds <= _HOUR, "NOTIFICATIONS_LEASE_SECONDS", "must be from 10 to 3600.")  # noqa: PLR2004
        require(
            _HOUR <= self.idle_threshold_seconds <= 4 * _HOUR,
            "NOTIFICATIONS_IDLE_THRESHOLD_SECONDS",
            "must be from 3600 (one hour) to 14400 (four).",
        )
        require(5 <= self.max_age_hours <= 720, "NOTIFICATIONS_MAX_AGE_HOURS", "must be from 5 to 720.")  # noqa: PLR2004
        require(1 <= self.max_lateness_hours <= 168, "NOTIFICATIONS_MAX_LATENESS_HOURS", "must be from 1 to 168.")  # noqa: PLR2004
        require(1 <= self.cooldown_days <= 365, "NOTIFICATIONS_COOLDOWN_DAYS", "must be from 1 to 365.")  # noqa: PLR2004
        require(1 <= self.outcome_days <= 90, "NOTIFICATIONS_OUTCOME_DAYS", "must be from 1 to 90.")  # noqa: PLR2004
        require(0 <= self.holdout_bp <= 5_000, "NOTIFICATIONS_HOLDOUT_BP", "must be from 0 to 5000 (half).")  # noqa: PLR2004
        for name, at in (("START", self.quiet_start), ("END", self.quiet_end)):
            require(_TIME.fullmatch(at), f"NOTIFICATIONS_QUIET_{name}", "must be a time such as 21:00.")
        require(10 <= self.scan_seconds <= _HOUR, "NOTIFICATIONS_SCAN_SECONDS", "must be from 10 to 3600.")  # noqa: PLR2004
        require(1 <= self.batch <= 20_000, "NOTIFICATIONS_BATCH", "must be from 1 to 20000.")  # noqa: PLR2004
        require(1 <= self.rate_per_second <= 10_000, "NOTIFICATIONS_RATE_PER_SECOND", "must be from 1 to 10000.")  # noqa: PLR2004
        require(0 <= self.rate_per_domain <= 10_000, "NOTIFICATIONS_RATE_PER_DOMAIN", "must be from 0 to 10000.")  # noqa: PLR2004
        require(0 <= self.daily_cap <= 100_000_000, "NOTIFICATIONS_DAILY_CAP", "must be from 0 to 100000000.")  # noqa: PLR2004
        require(1 <= self.max_a_month <= 30, "NOTIFICATIONS_MAX_A_MONTH", "must be from 1 to 30.")  # noqa: PLR2004
        require(1 <= self.click_days <= 30, "NOTIFICATIONS_CLICK_DAYS", "must be from 1 to 30.")  # noqa: PLR2004
        require(
            not self.report_currency or _CURRENCY.fullmatch(self.report_currency),
            "NOTIFICATIONS_REPORT_CURRENCY",
            "must be the code of a currency, such as EUR.",
        )
        require(
            self.report_currency or not self.report_rates,
            "NOTIFICATIONS_REPORT_RATES",
            "needs NOTIFICATIONS_REPORT_CURRENCY.",
        )
        pairs = [pair.strip() for pair in self.report_rates.split(",") if pair.strip()]
        require(
            all(_RATE.fullmatch(pair) for pair in pairs)
            and len({*(currency for currency, _ in self.rates), self.report_currency}) == len(pairs) + 1
            and all(rate > 0 for _, rate in self.rates),
            "NOTIFICATIONS_REPORT_RATES",
            "must be such as EUR:0.86,JPY:0.0053: other currencies, each once.",
        )
        require(0 <= self.margin_bp <= 10_000, "NOTIFICATIONS_MARGIN_BP", "must be from 0 to 10000 (all of it).")  # noqa: PLR2004
        require(1 <= self.code_cooldown_days <= 730, "NOTIFICATIONS_CODE_COOLDOWN_DAYS", "must be from 1 to 730.")  # noqa: PLR2004
        require(1 <= self.price_drop_percent <= 90, "NOTIFICATIONS_PRICE_DROP_PERCENT", "must be from 1 to 90.")  # noqa: PLR2004
        require(1 <= self.saved_news_hours <= 720, "NOTIFICATIONS_SAVED_NEWS_HOURS", "must be from 1 to 720.")  # noqa: PLR2004
        require(1 <= self.retention_months <= 120, "NOTIFICATIONS_RETENTION_MONTHS", "must be from 1 to 120.")  # noqa: PLR2004
        require(is_zone(self.default_time_zone), "NOTIFICATIONS_DEFAULT_TIME_ZONE", "must be such as Europe/Berlin.")
        require(self.consent_policy in (OPT_OUT, OPT_IN), "NOTIFICATIONS_CONSENT_POLICY", "must be opt_out or opt_in.")
        require(
            all(len(c) == 2 and c.isupper() and p in (OPT_OUT, OPT_IN) for c, p in self.policies),  # noqa: PLR2004
            "NOTIFICATIONS_COUNTRY_POLICY",
            "must be such as DE:opt_in,FR:opt_in.",
        )
        for name in ("unsubscribe_mailbox", "message_id_domain", "list_id"):
            domain: str = getattr(self, name)
            require(
                not domain or _DOMAIN.fullmatch(domain),
                f"NOTIFICATIONS_{name.upper()}",
                "must be a domain such as mail.example.com.",
            )
        require(self.keys, "NOTIFICATIONS_LINK_KEYS", "must name at least one key.")
        require(self.all_peppers, "NOTIFICATIONS_PEPPERS", "must name at least one pepper.")

    @property
    def rates(self) -> tuple[tuple[str, float], ...]:
        """Pairs of another currency and what a unit of it is worth in the one of reports."""
        pairs = (pair.strip().partition(":") for pair in self.report_rates.split(",") if pair.strip())
        return tuple((currency, float(rate)) for currency, _, rate in pairs)

    @property
    def policies(self) -> tuple[tuple[str, str], ...]:
        """Pairs of country and policy."""
        pairs = (pair.partition(":") for pair in self.country_policy.replace(" ", "").split(",") if pair)
        return tuple((country, policy) for country, _, policy in pairs)

    def policy_for(self, country: str) -> str:
        """Tell the consent policy for a customer in a country; an empty text is an unknown one."""
        return dict(self.policies).get(country, self.consent_policy)

    @property
    def asks_for_consent(self) -> bool:
        """Tell whether there are customers who are reminded only after a yes."""
        return OPT_IN in (self.consent_policy, *(policy for _, policy in self.policies))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of links, newest first."""
        return tuple(key.strip().encode() for key in self.link_keys.split(",") if key.strip())

    @property
    def all_peppers(self) -> tuple[bytes, ...]:
        """The peppers, newest first."""
        return tuple(pepper.strip().encode() for pepper in self.peppers.split(",") if pepper.strip())


def conf() -> NotificationsConf:
    """Give the settings in force."""
    return settings.NOTIFICATIONS


def link_base() -> str:
    """Give what links in mails begin with, without a slash at the end."""
    return (conf().link_base_url or str(settings.BASE_URL)).rstrip("/")
