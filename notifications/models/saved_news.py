"""What was told to customers of the items that they saved for later."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifications.types import Topic


class SavedNews(models.Model):
    """One piece of news of one saved item for one customer: made with its message, and never told again."""

    TOPICS: ClassVar = [
        (Topic.PRICE_DROP.value, _("costs less")),
        (Topic.BACK_IN_STOCK.value, _("back in stock")),
    ]

    message = models.ForeignKey("notifications.Message", on_delete=models.CASCADE, related_name="saved_news")
    user_id = models.BigIntegerField(_("customer"))
    sku_id = models.CharField(_("SKU"), max_length=64)
    topic = models.CharField(_("news"), max_length=16, choices=TOPICS)
    saved_at = models.DateTimeField(_("saved at"))
    """Saved again, an item has news of its own again."""
    value = models.BigIntegerField(_("told"))
    """The lower price in minor units; of an item that is back, since when it was away, in microseconds since 1970."""
    was_minor = models.BigIntegerField(_("price when saved"), null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    found_at = models.DateTimeField(_("found"))

    class Meta:
        verbose_name = _("news of a saved item")
        verbose_name_plural = _("news of saved items")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user_id", "sku_id", "topic", "saved_at", "value"], name="saved_news_told_once"
            ),
            models.CheckConstraint(
                condition=Q(topic=Topic.BACK_IN_STOCK.value)
                | Q(topic=Topic.PRICE_DROP.value, was_minor__isnull=False, was_minor__gt=models.F("value")),
                name="saved_news_of_a_lower_price",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user_id", "-found_at"], name="saved_news_of_customer")]

    def __str__(self) -> str:
        return f"{self.sku_id}: {self.topic}"


class SoldOut(models.Model):
    """That a saved SKU was sold out, and since when it is back, as far as the search for news has seen it."""

    sku_id = models.CharField(primary_key=True, max_length=64)
    since = models.DateTimeField()
    back_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.sku_id
