"""Unfold recorded lines into rows, for analysis: `SELECT … FROM cart_recordedline`."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

VIEW = """
CREATE VIEW cart_recordedline AS
SELECT r.id AS record_id, r.owner, r.user_id, r.state, r.order_number, r.last_activity_at, part.list,
       line->>'sku_id' AS sku_id,
       (line->>'quantity')::integer AS quantity,
       (line->>'price_at_add')::bigint AS price_at_add_minor,
       line->>'currency' AS currency,
       to_timestamp((line->>'added_at')::bigint / 1000000.0) AS added_at
  FROM cart_cartrecord r
 CROSS JOIN LATERAL (VALUES ('cart', r.lines), ('saved', r.saved)) AS part(list, content)
 CROSS JOIN LATERAL jsonb_array_elements(part.content) AS line
"""


class Migration(migrations.Migration):
    """Make the view."""

    dependencies: ClassVar = [("cart", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL(VIEW, "DROP VIEW cart_recordedline")]
