"""Staff's pages of messages, and of the mails in files where mails go to files."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from notifications import mail, services
from notifications.admin import told
from notifications.conf import link_base
from notifications.models import Message
from notifications.types import MessageKind
from shop.core import clock
from shop.core.staff import ReadOnlyAdmin, change_page


def mail_policy() -> str:
    """Say what a mail may do on the page that shows it: look as it does, run nothing, load pictures of items only."""
    return f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: {link_base()}/pictures/"


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """What was told to whom, and what became of it. A trigger keeps sent ones as they are."""

    change_list_template = "admin/notifications/message_list.html"
    list_display = ("created_at", "recipient", "template_key", "state", "reason", "subject_link", "attempts", "sent_at")
    list_filter = ("state", "template_key", "step_no")
    date_hierarchy = "created_at"
    search_fields = ("=order_number", "=payment_id", "=public_id")
    search_help_text = _("Order, payment or message id, exactly")
    fields = (
        *("public_id", "kind", "template_key", "subject_link", "recipient", "state", "reason", "attempts"),
        *("step", "it_showed", "came_of_it", "deferrals", "due_at", "late_after", "created_at", "handed_at", "sent_at"),
    )
    actions = ("resend", "suppress")

    @admin.display(description=_("about"))
    def subject_link(self, message: Message) -> str:
        if message.abandonment_id is not None:
            url = reverse("admin:notifications_abandonment_change", args=[message.abandonment_id])
            return format_html('<a href="{}">{}</a>', url, gettext("cart left"))
        if message.kind == MessageKind.SAVED.value:
            return gettext("saved items")
        name = "order" if message.order_number else "payment"
        subject = message.order_number or message.payment_id
        return format_html('<a href="{}">{}</a>', change_page(f"checkout_{name}", subject), subject)

    @admin.display(description=_("shown"))
    def it_showed(self, message: Message) -> str:
        return told.shown(message)

    @admin.display(description=_("what came of it"))
    def came_of_it(self, message: Message) -> str:
        return told.came_of_it(message)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Tell who may send failed messages again."""
        return request.user.has_perm("notifications.resend_message")

    @admin.action(description=_("Send failed messages again"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        done = 0
        for message in queryset:
            if services.resend(message_id=message.pk, now=clock.now()):
                self.log_change(request, message, "Due again")
                done += 1
        sentence = ngettext("%(count)d message is due again.", "%(count)d messages are due again.", done)
        self.message_user(request, sentence % {"count": done}, messages.SUCCESS)

    def has_suppress_permission(self, request: HttpRequest) -> bool:
        """Tell who may suppress addresses."""
        return request.user.has_perm("notifications.add_suppression")

    @admin.action(description=_("Send no mails of this kind to these addresses any more"), permissions=["suppress"])
    def suppress(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        done = 0
        for message in queryset.exclude(recipient_hash=""):
            done += services.suppress(
                email_hash=message.recipient_hash,
                scope=services.scope_of(message),
                reason="staff",
                source=f"staff:{request.user.pk}",
                now=clock.now(),
            )
            self.log_change(request, message, "Address suppressed")
        sentence = ngettext("%(count)d address is suppressed.", "%(count)d addresses are suppressed.", done)
        self.message_user(request, sentence % {"count": done}, messages.SUCCESS)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        extra = {**(extra_context or {}), "has_mail_files": mail.is_in_use()}
        return super().changelist_view(request, extra)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("files/", view(self.files_view), name="notifications_message_files"),
            path("files/<str:name>/", view(self.file_view), name="notifications_message_file"),
            path("files/<str:name>/html/", view(self.html_view), name="notifications_message_html"),
            *super().get_urls(),
        ]

    def files_view(self, request: HttpRequest) -> HttpResponse:
        """List the mails that were written to files.

        :raises Http404: if mails do not go to files here.
        """
        self._require_files(request)
        return self._page(request, "files", {"title": gettext("Mails in files"), "mails": mail.list_mails()})

    def file_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show one mail as text.

        :raises Http404: if there is no such mail.
        """
        self._require_files(request)
        found = mail.find_mail(name=name)
        if found is None:
            raise Http404
        return self._page(request, "file", {"title": found.subject, "mail": found})

    def html_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show one mail as its reader sees it.

        :raises Http404: if there is no such mail, or it has no HTML.
        """
        self._require_files(request)
        found = mail.find_mail(name=name)
        if found is None or not found.html:
            raise Http404
        return HttpResponse(found.html, headers={"Content-Security-Policy": mail_policy(), "Cache-Control": "no-store"})

    def _require_files(self, request: HttpRequest) -> None:
        if not mail.is_in_use():
            raise Http404
        if not request.user.has_perm("notifications.view_message"):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, values: dict[str, object]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **values}
        return TemplateResponse(request, f"admin/notifications/{name}.html", context)
