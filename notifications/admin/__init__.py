"""Staff's pages: messages, campaigns and what they brought, and addresses that must not be mailed."""

from notifications.admin import campaigns, consent, messages

__all__ = ["campaigns", "consent", "messages"]
