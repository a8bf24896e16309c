"""Products and their SKUs."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from shop.catalog.rules import SKU_ID_MAX_LENGTH, canonical_sku_id, is_options, sku_title


def validate_sku_id(value: str) -> None:
    """Refuse a SKU id that is not in its canonical form."""
    if canonical_sku_id(value) != value:
        raise ValidationError(
            _('Up to 64 characters: no line breaks, none of / \\ , ? # % " < >, no @ at the start.'),
            code="sku_id",
        )


def validate_options(value: object) -> None:
    """Refuse options that are not a list of pairs."""
    if not is_options(value):
        raise ValidationError(_('Write pairs of name and value, such as [["Size", "350 ml"]].'), code="options")


class Product(models.Model):
    """What is shown: one page, one description, one or more SKUs."""

    slug = models.SlugField(
        _("address"), max_length=100, unique=True, help_text=_("The last part of the page's address.")
    )
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True, default="")
    category = models.CharField(_("category"), max_length=60, db_index=True)
    position = models.IntegerField(_("position"), default=0, help_text=_("Products are listed by this number."))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering: ClassVar = ["position", "id"]
        indexes: ClassVar = [models.Index(fields=["position", "id"], name="product_order")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(title=""), name="product_has_a_title"),
            models.CheckConstraint(condition=~Q(category=""), name="product_has_a_category"),
        ]

    def __str__(self) -> str:
        return self.title


class Sku(models.Model):
    """The smallest thing sold and stocked. Its id never changes, and it is never deleted: it stops being sold."""

    sku_id = models.CharField(_("SKU"), max_length=SKU_ID_MAX_LENGTH, unique=True, validators=[validate_sku_id])
    product = models.ForeignKey(Product, models.PROTECT, related_name="skus", verbose_name=_("product"))
    options = models.JSONField(_("options"), default=list, blank=True, validators=[validate_options])
    """Pairs of name and value in the order shown: a list, because JSONB keeps no order of keys."""
    position = models.IntegerField(_("position"), default=0)
    is_sellable = models.BooleanField(_("sold"), default=True)

    class Meta:
        verbose_name = _("SKU")
        verbose_name_plural = _("SKUs")
        ordering: ClassVar = ["sku_id"]
        indexes: ClassVar = [models.Index(fields=["product", "position", "id"], name="sku_order")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(sku_id__regex=r"^[^@[:space:][:cntrl:]]")
                & ~Q(sku_id__regex=r'[[:cntrl:]/\\,?#%"<>]|\s$')
                & ~Q(sku_id__in=[".", "..", "__proto__", "constructor", "prototype"])
                & Q(sku_id=Func(F("sku_id"), function="normalize", output_field=models.CharField())),
                name="sku_id_is_canonical",
                violation_error_message=_("This cannot be a SKU."),
            ),
            models.CheckConstraint(
                condition=Exact(
                    Func(F("options"), function="jsonb_typeof", output_field=models.TextField()), Value("array")
                ),
                name="sku_options_are_a_list",
            ),
        ]

    def __str__(self) -> str:
        return self.sku_id

    @property
    def title(self) -> str:
        """The product's title and this SKU's option values; reads the product."""
        return sku_title(self.product.title, [(name, value) for name, value in self.options])
