"""What the tests of the catalogue share."""

from __future__ import annotations

from shop.catalog import services
from shop.catalog.services import NewProduct, NewSku


def product(slug: str = "enamel-mug", *sku_ids: str, **fields: str) -> None:
    """Add a product of SKUs without options."""
    services.add_products(
        products=[
            NewProduct(
                slug=slug,
                title=fields.get("title", slug.replace("-", " ").capitalize()),
                category=fields.get("category", "Table"),
                description=fields.get("description", ""),
                position=int(fields.get("position", "0")),
                skus=tuple(NewSku(sku_id) for sku_id in sku_ids or (slug.upper(),)),
            )
        ]
    )
