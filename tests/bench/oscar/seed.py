"""Fill Oscar's database: tables, and products with a price and stock (`python seed.py NUMBER`)."""
# mypy: ignore-errors

from __future__ import annotations

import io
import sys
from decimal import Decimal

import django
from django.core.files.base import ContentFile
from django.core.management import call_command


def seed(number: int) -> None:
    """Make tables and so many products, each with a picture."""
    from oscar.apps.catalogue.models import Product, ProductClass, ProductImage  # noqa: PLC0415 - after django.setup()
    from oscar.apps.partner.models import Partner, StockRecord  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415 - comes with Oscar

    call_command("migrate", verbosity=0)
    drawn = io.BytesIO()
    Image.new("RGB", (400, 400), "#8ca58c").save(drawn, "PNG")
    goods = ProductClass.objects.create(name="Goods")
    partner = Partner.objects.create(name="Shop")
    for n in range(number):
        product = Product.objects.create(product_class=goods, title=f"Product {n}", upc=f"SKU-{n}")
        ProductImage.objects.create(product=product, original=ContentFile(drawn.getvalue(), f"{n}.png"))
        StockRecord.objects.create(
            product=product,
            partner=partner,
            partner_sku=f"SKU-{n}",
            price=Decimal("14.00"),
            price_currency="GBP",
            num_in_stock=1_000_000,
        )


if __name__ == "__main__":
    django.setup()
    seed(int(sys.argv[1]))
