"""Staff's pages of campaigns: drafts, the report, who would get a mail and why not, a preview, a test."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import reporting, services
from notifications.admin import figures, report
from notifications.admin.messages import mail_policy
from notifications.models import Abandonment, Campaign, Step, Variant
from notifications.services import explaining, planning, sampling
from notifications.services.explaining import Explanation
from notifications.types import CampaignState, Letter
from shop.accounts import selectors as accounts
from shop.core import clock
from shop.core.errors import Refusal
from shop.core.staff import FreshForm, Inline, QuickListAdmin, ReadOnlyAdmin
from shop.core.words import words

DRAFT = CampaignState.DRAFT.value


class DraftOnly:
    """Mixes into an inline: its rows belong to a campaign that has not begun."""

    def _is_draft(self, obj: Any) -> bool:  # noqa: ANN401 - a campaign or a variant
        campaign = obj.campaign if isinstance(obj, Variant) else obj
        return campaign is None or campaign.state == DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._is_draft(obj) and bool(super().has_add_permission(request, obj))  # type: ignore[misc]  # the inline's

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._is_draft(obj) and bool(super().has_change_permission(request, obj))  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._is_draft(obj) and bool(super().has_delete_permission(request, obj))  # type: ignore[misc]


class VariantInline(DraftOnly, Inline):
    """The ways of a campaign; each has its mails on a page of its own."""

    model = Variant
    extra = 0
    show_change_link = True


class StepInline(DraftOnly, admin.StackedInline):  # type: ignore[type-arg]  # takes none at run time
    """The mails of a variant."""

    model = Step
    extra = 0


class CampaignForm(FreshForm):
    """A draft, refused if somebody else changed it meanwhile."""

    class Meta:
        model = Campaign
        fields = "__all__"


@admin.register(Campaign)
class CampaignAdmin(QuickListAdmin):
    """Campaigns. A draft may be edited; one that has begun is only paused, resumed or ended."""

    form = CampaignForm
    list_display = (
        *("name", "state", "see", "found", "sent", "more_orders", "attributed", "unwanted"),
        *("activated_at", "pause_reason"),
    )
    list_filter = ("state",)
    search_fields = ("name", "slug")
    inlines = (VariantInline,)
    fieldsets = (
        (None, {"fields": ("name", "slug", "state", "pause_reason", "priority")}),
        (_("Who"), {"fields": ("idle_threshold", "max_age", "minimum_minor", "other_minimums", "cooldown")}),
        (_("When"), {"fields": ("max_lateness", "quiet_start", "quiet_end", "max_messages_per_event")}),
        (
            _("Test"),
            {
                "fields": (
                    "holdout_bp",
                    "outcome_window",
                    "click_window",
                    "base_bp",
                    "mde_pct",
                    "planned_n",
                    "opened_with",
                )
            },
        ),
    )
    readonly_fields = ("state", "pause_reason", "planned_n")

    class Media:
        css = {"all": ("shop/admin.css",)}

    @admin.display(description=_("report"))
    def see(self, campaign: Campaign) -> str:
        url = reverse("admin:notifications_campaign_report", args=[campaign.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Report"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).select_related("stored_report").prefetch_related("variants")

    @admin.display(description=_("found"))
    def found(self, campaign: Campaign) -> str:
        shown = _shown(campaign)
        return "–" if shown is None else str(shown.holdout.enrolled + shown.mailed.enrolled)

    @admin.display(description=_("sent"))
    def sent(self, campaign: Campaign) -> str:
        shown = _shown(campaign)
        return "–" if shown is None else str(dict(shown.mailed.states).get("sent", 0))

    @admin.display(description=_("orders by last click"))
    def attributed(self, campaign: Campaign) -> str:
        shown = _shown(campaign)
        return "–" if shown is None else str(shown.attributed[0].orders)

    @admin.display(description=_("orders more than without (95 %)"))
    def more_orders(self, campaign: Campaign) -> str:
        shown = _shown(campaign)
        if shown is None or shown.finding == "split_is_wrong":
            return "–"
        return figures.incremental(shown.mailed.incremental)

    @admin.display(description=_("opted out / complained / unknown"))
    def unwanted(self, campaign: Campaign) -> str:
        shown = _shown(campaign)
        if shown is None:
            return "–"
        mailed = shown.mailed
        return f"{mailed.opted_out} / {mailed.complained} / {dict(mailed.states).get('unknown', 0)}"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's
        return super().has_change_permission(request, obj) and (obj is None or obj.state == DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's
        return super().has_delete_permission(request, obj) and obj is not None and obj.state == DRAFT

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ANN401 - Django's
        found = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj):
            return found
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field != "opened_with"]})
            for name, options in found
        ]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/report/", view(self.report_view), name="notifications_campaign_report"),
            path("<int:pk>/count/", view(self.count_view), name="notifications_campaign_count"),
            path("<int:pk>/run/", view(self.run_view), name="notifications_campaign_run"),
            path("<int:pk>/explain/", view(self.explain_view), name="notifications_campaign_explain"),
            path("<int:pk>/preview/<int:step>/", view(self.preview_view), name="notifications_campaign_preview"),
            path("<int:pk>/samples/", view(self.samples_view), name="notifications_campaign_samples"),
            path("<int:pk>/test/", view(self.test_view), name="notifications_campaign_test"),
            *super().get_urls(),
        ]

    def report_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a campaign has brought, and what can be done with it."""
        campaign = self._campaign(request, pk)
        if request.GET.get("as") == "csv":
            return report.table_of(campaign)
        acts = {"can_run": request.user.has_perm("notifications.run_campaign"), "acts": _acts(campaign)}
        return self._page(request, "report", campaign, {**report.context_of(campaign), **acts})

    def count_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Count the report anew, for who cannot wait five minutes."""
        campaign = self._campaign(request, pk)
        if request.method == "POST":
            try:
                services.count_report(campaign=campaign, now=clock.now())
            except OperationalError:
                self.message_user(
                    request, gettext("It takes too long for a page. A job counts it, too."), messages.WARNING
                )
        return redirect("admin:notifications_campaign_report", pk)

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Start, pause, resume or end a campaign, for a reason that is kept."""
        campaign = self._campaign(request, pk)
        if not request.user.has_perm("notifications.run_campaign"):
            raise PermissionDenied
        act, reason = request.POST.get("act", ""), request.POST.get("reason", "").strip()
        back = redirect("admin:notifications_campaign_report", pk)
        if request.method != "POST" or act not in dict(_acts(campaign)):
            return back
        if not reason:
            self.message_user(request, gettext("Say why: it is kept."), messages.ERROR)
            return back
        try:
            match act:
                case "start":
                    most = None if request.POST.get("even_if_long") else planning.MOST_WEEKS
                    services.start_campaign(campaign_id=pk, now=clock.now(), most_weeks=most)
                case "pause":
                    services.pause_campaign(campaign_id=pk, reason=reason)
                case "resume":
                    services.resume_campaign(campaign_id=pk)
                case _:
                    services.end_campaign(campaign_id=pk, now=clock.now())
        except Refusal as refusal:
            self.message_user(request, words(refusal).detail, messages.ERROR)
            return back
        self.log_change(request, campaign, f"{act}: {reason}")
        return back

    def explain_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show each gate for one customer, live; with a preview of each step."""
        campaign = self._campaign(request, pk)
        typed = request.GET.get("customer", "").strip()
        found = self._explain(campaign, typed) if typed else None
        return self._page(
            request,
            "explain",
            campaign,
            {
                "typed": typed,
                "found": found,
                "steps": Step.objects.filter(variant__campaign=campaign).select_related("variant"),
                "can_test": request.user.has_perm("notifications.run_campaign"),
            },
        )

    def preview_view(self, request: HttpRequest, pk: int, step: int) -> HttpResponse:
        """Show a step for a customer's real cart, or a sample, as its reader would see it; `?as=text` for the text.

        :raises Http404: if there is no such step, customer, cart or sample.
        """
        campaign = self._campaign(request, pk)
        chosen = get_object_or_404(
            Step.objects.select_related("variant__campaign"), pk=step, variant__campaign=campaign
        )
        letter = self._letter(request, campaign, chosen)
        if letter is None:
            raise Http404
        is_text = request.GET.get("as") == "text"
        return HttpResponse(
            letter.text if is_text else letter.html,
            content_type="text/plain; charset=utf-8" if is_text else "text/html; charset=utf-8",
            headers={
                "Content-Security-Policy": f"{mail_policy()}; frame-ancestors 'self'",
                "X-Frame-Options": "SAMEORIGIN",
                "Cache-Control": "no-store",
            },
        )

    def samples_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show all mails of a campaign side by side for a made-up cart: wide, on a phone, in the dark."""
        campaign = self._campaign(request, pk)
        sample, language = request.GET.get("sample", ""), request.GET.get("language", "")
        steps = Step.objects.filter(variant__campaign=campaign).select_related("variant")
        return self._page(
            request,
            "samples",
            campaign,
            {
                "samples": sampling.SAMPLES.items(),
                "sample": sample if sample in sampling.SAMPLES else next(iter(sampling.SAMPLES)),
                "languages": settings.LANGUAGES,
                "language": language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE,
                "steps": steps.order_by("variant_id", "number"),
            },
        )

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a step to the member of staff who asks, and to nobody else. No counter moves."""
        campaign = self._campaign(request, pk)
        if request.method != "POST" or not request.user.has_perm("notifications.run_campaign"):
            raise PermissionDenied
        chosen = get_object_or_404(
            Step.objects.select_related("variant__campaign"), pk=request.POST.get("step"), variant__campaign=campaign
        )
        typed = request.POST.get("customer", "").strip()
        found = self._explain(campaign, typed)
        if found is None:
            raise Http404
        to = str(getattr(request.user, "email", ""))
        try:
            explaining.send_test(step=chosen, explanation=found, to=to)
        except (OSError, smtplib.SMTPException) as error:
            self.message_user(request, gettext("The mail server did not take it: %s") % error, messages.ERROR)
        else:
            self.message_user(request, gettext("A test went to %s.") % to, messages.SUCCESS)
        return redirect(reverse("admin:notifications_campaign_explain", args=[pk]) + f"?customer={found_id(typed)}")

    def _letter(self, request: HttpRequest, campaign: Campaign, step: Step) -> Letter | None:
        if name := request.GET.get("sample", ""):
            language, scheme = request.GET.get("language", ""), request.GET.get("scheme", "")
            return sampling.preview(step=step, name=name, language=language, scheme=scheme, now=clock.now())
        found = self._explain(campaign, request.GET.get("customer", "").strip())
        return explaining.preview(step=step, explanation=found) if found else None

    def _explain(self, campaign: Campaign, typed: str) -> Explanation | None:
        user_id = found_id(typed)
        return explaining.explain(campaign=campaign, user_id=user_id, now=clock.now()) if user_id else None

    def _campaign(self, request: HttpRequest, pk: int) -> Campaign:
        if not request.user.has_perm("notifications.view_campaign"):
            raise PermissionDenied
        found = Campaign.objects.select_related("stored_report").prefetch_related("variants")
        return get_object_or_404(found, pk=pk)

    def _page(self, request: HttpRequest, name: str, campaign: Campaign, values: dict[str, object]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": campaign.name,
            "campaign": campaign,
            **values,
        }
        return TemplateResponse(request, f"admin/notifications/{name}.html", context)


@admin.register(Variant)
class VariantAdmin(QuickListAdmin):
    """The mails of one variant; reached from its campaign."""

    list_display = ("campaign", "key", "weight_bp")
    list_filter = ("campaign",)
    fields = ("campaign", "key", "weight_bp")
    readonly_fields = ("campaign", "key", "weight_bp")
    inlines = (StepInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401 - Django's
        return super().has_change_permission(request, obj) and (obj is None or obj.campaign.state == DRAFT)


@admin.register(Abandonment)
class AbandonmentAdmin(ReadOnlyAdmin):
    """Carts that were left, as found, each with its arm and its end."""

    list_display = (
        "enrolled_at",
        "campaign",
        "variant",
        "is_holdout",
        "user_id",
        "state",
        "close_reason",
        "order_number",
    )
    list_filter = ("state", "campaign", "is_holdout", "close_reason")
    list_select_related = ("campaign", "variant")
    search_fields = ("=user_id", "=order_number")
    search_help_text = _("Customer's number or order, exactly")
    fields = (
        *("campaign", "variant", "is_holdout", "user_id", "state", "close_reason", "abandoned_at", "enrolled_at"),
        *("closed_at", "currency", "value_minor", "order_number", "ordered_at", "order_minor"),
    )


def _shown(campaign: Campaign) -> reporting.Report | None:
    """Give the report as last counted, for a list; weighed once for all columns of a row."""
    row = vars(campaign)
    if "shown" not in row:
        kept = reporting.kept(campaign)
        row["shown"] = reporting.weigh(campaign, kept.counted) if kept else None
    found: reporting.Report | None = row["shown"]
    return found


def found_id(typed: str) -> int | None:
    """Read a customer's number, or look up the address that was typed; None if there is no such customer."""
    if typed.isascii() and typed.isdigit():
        return int(typed[:18])
    contact = accounts.find_contact_by_email(email=typed)
    return contact.user_id if contact else None


def _acts(campaign: Campaign) -> Sequence[tuple[str, object]]:
    return {
        CampaignState.DRAFT.value: [("start", _("Start"))],
        CampaignState.RUNNING.value: [("pause", _("Pause")), ("end", _("End for good"))],
        CampaignState.PAUSED.value: [("resume", _("Resume")), ("end", _("End for good"))],
    }.get(campaign.state, [])
