"""Pure decisions: when to try again, who may be written to, which arm somebody is in, and what a test has shown."""

from notifications.rules.assigning import Weighted, are_held_out, buckets, choose_variants
from notifications.rules.gates import PASSED, Facts, Judgment, Outcome, evaluate, explain
from notifications.rules.minimums import amount_in, given_away, is_large_enough, read_minimums
from notifications.rules.news import kind_of
from notifications.rules.opening import TOO_SOON, is_machine
from notifications.rules.quiet import next_loud_moment, next_loud_moment_in_all, zones_of
from notifications.rules.saved_news import is_back, is_cheaper
from notifications.rules.sending import (
    MOST_ATTEMPTS,
    OFFLINE_LIMIT_SECONDS,
    OFFLINE_SECONDS,
    RETRY_MINUTES,
    SPREAD,
    Verdict,
    api_verdict,
    names_domain,
    offline_seconds,
    retry_seconds,
    slows_domain,
    verdict,
)

__all__ = [
    "MOST_ATTEMPTS",
    "OFFLINE_LIMIT_SECONDS",
    "OFFLINE_SECONDS",
    "PASSED",
    "RETRY_MINUTES",
    "SPREAD",
    "TOO_SOON",
    "Facts",
    "Judgment",
    "Outcome",
    "Verdict",
    "Weighted",
    "amount_in",
    "api_verdict",
    "are_held_out",
    "buckets",
    "choose_variants",
    "evaluate",
    "explain",
    "given_away",
    "is_back",
    "is_cheaper",
    "is_large_enough",
    "is_machine",
    "kind_of",
    "names_domain",
    "next_loud_moment",
    "next_loud_moment_in_all",
    "offline_seconds",
    "read_minimums",
    "retry_seconds",
    "slows_domain",
    "verdict",
    "zones_of",
]
