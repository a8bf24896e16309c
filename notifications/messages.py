"""Words for the refusals of notifications."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications import errors
from shop.core.words import DETAIL_WORDS, Words, words

PROBLEMS = {
    "no_variant": gettext_lazy("It has no variant."),
    "weights": gettext_lazy("The shares of its variants must make 10,000 together."),
    "no_first_step": gettext_lazy("Each variant needs a step with number 1."),
    "steps": gettext_lazy("The steps of a variant are numbered 1, 2, 3 without a gap."),
    "too_many_steps": gettext_lazy("A variant has more steps than “mails at most” allows."),
    "sample": gettext_lazy("The lift asked for cannot be: the share would rise above 100 %."),
    "gives_away": gettext_lazy("A code takes off as much as a cart must be worth, or more: name a greater minimum."),
    "too_long": gettext_lazy(
        "The test would take more than 26 weeks. Make the hold-out or the lift to see greater, or tick the box."
    ),
}


@words.register
def _campaign_not_ready(refusal: errors.CampaignNotReadyError) -> Words:
    return Words(_("The campaign cannot start"), str(PROBLEMS.get(refusal.problem, refusal.problem)))


@words.register
def _campaign_state(refusal: errors.CampaignStateError) -> Words:
    return Words(_("Not possible now"), _("The campaign is %(state)s: it cannot do that.") % {"state": refusal.state})


@words.register
def _link_unknown(refusal: errors.LinkUnknownError) -> Words:
    return Words(_("Link not found"), _("This link is not one of ours, or a part of it got lost on the way."))


DETAIL_WORDS.update(
    {
        "nothing_to_change": gettext_lazy("Name at least one thing to change."),
        "not_a_time_zone": gettext_lazy("Must be the name of a time zone, such as Europe/Berlin."),
    }
)
