"""Find carts by SKU, and unfold recorded saved lists into rows: `SELECT … FROM cart_savedline`."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

INDEX = """
CREATE INDEX cart_by_sku ON cart_cartrecord USING gin (
    jsonb_path_query_array(lines, '$[*].sku_id') jsonb_path_ops,
    jsonb_path_query_array(saved, '$[*].sku_id') jsonb_path_ops
)
"""
# `skus` is the indexed expression, so that `skus @> '["MUG"]'` finds the lists before they are unfolded.
VIEW = """
CREATE VIEW cart_savedline AS
SELECT r.id || ':' || (line->>'sku_id') AS id, r.id AS record_id, r.owner, r.user_id,
       line->>'sku_id' AS sku_id,
       (line->>'quantity')::integer AS quantity,
       (line->>'price_at_add')::bigint AS price_minor,
       line->>'currency' AS currency,
       to_timestamp((line->>'added_at')::bigint / 1000000.0) AS added_at,
       jsonb_path_query_array(r.saved, '$[*].sku_id') AS skus
  FROM cart_cartrecord r
 CROSS JOIN LATERAL jsonb_array_elements(r.saved) AS line
 WHERE r.state = 'active'
"""


class Migration(migrations.Migration):
    """Make the index and the view."""

    dependencies: ClassVar = [("cart", "0003_history")]
    operations: ClassVar = [
        migrations.RunSQL(INDEX, "DROP INDEX cart_by_sku"),
        migrations.RunSQL(VIEW, "DROP VIEW cart_savedline"),
    ]
