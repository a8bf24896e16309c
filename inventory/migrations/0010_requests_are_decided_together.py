"""Requests for a hot SKU that meet in a process are decided in one call; they no longer wait in rows.

The table of those rows and its functions stay for processes of the release before this one, which go on while they are
replaced. Nothing here uses them any more: the release after this one may drop them.
"""

from django.db import migrations

# One owner, id and life a request, in order of arrival; one number (of its request, from 1), SKU and quantity a line.
# Locks: overdue reservations, then stock rows by ascending SKU. Hot rows are waited for. A cold row that somebody keeps
# locked would hold up everybody: the request goes elsewhere and waits by itself. A function sees with each of its
# statements what is committed by then, so what is read after a lock is as it is under that lock.
TOGETHER = """
CREATE FUNCTION inventory_reserve_together(
  owners text[], ids text[], lives integer[], numbers integer[], sku_ids text[], quantities integer[], hot text[])
RETURNS TABLE (state text, short jsonb, created timestamptz, expires timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  looked_for_overdue boolean := false;
  free jsonb; cold jsonb;
  held text[]; busy_owners text[]; granted text[]; made text[]; refused jsonb := '{}'; missing jsonb;
  request record; began timestamptz;
BEGIN
  -- What is too little for all of them may be in reservations that are overdue: those end first.
  IF EXISTS (
    SELECT FROM (SELECT u.sku_id, sum(u.quantity) AS units
                   FROM unnest(sku_ids, quantities) AS u (sku_id, quantity) GROUP BY u.sku_id) AS a
           LEFT JOIN inventory_stockitem s ON s.sku_id = a.sku_id AND s.sku_id = ANY(sku_ids)
     WHERE a.units > coalesce(s.on_hand - s.reserved, 0)) THEN
    looked_for_overdue := true;
    WITH overdue AS MATERIALIZED (
           SELECT r.id FROM inventory_reservation r
            WHERE r.state = 'soft' AND r.expires_at <= clock_timestamp()
              AND r.id IN (SELECT l.reservation_id FROM inventory_reservationline l
                            WHERE l.is_live AND l.sku_id = ANY(sku_ids))
            ORDER BY r.expires_at LIMIT 500 FOR UPDATE SKIP LOCKED),
         locked AS MATERIALIZED (
           SELECT s.sku_id, s.on_hand, s.reserved FROM inventory_stockitem s
            WHERE EXISTS (SELECT FROM overdue)
              AND s.sku_id = ANY(sku_ids || ARRAY(SELECT l.sku_id::text FROM inventory_reservationline l
                                                    JOIN overdue o ON o.id = l.reservation_id))
            ORDER BY s.sku_id FOR UPDATE),
         moved AS (
           UPDATE inventory_reservation r SET state = 'expired', cause = 'taken_over', ended_at = clock_timestamp()
             FROM overdue o
            WHERE r.id = o.id AND r.state = 'soft' AND (SELECT count(*) FROM locked) >= 0 RETURNING r.id),
         ended AS (
           UPDATE inventory_reservationline l SET is_live = false
             FROM moved WHERE l.reservation_id = moved.id RETURNING l.sku_id, l.quantity)
    UPDATE inventory_stockitem s SET on_hand = l.on_hand, reserved = l.reserved - b.units
      FROM locked l JOIN (SELECT e.sku_id, sum(e.quantity)::int AS units FROM ended e GROUP BY e.sku_id) AS b
           ON b.sku_id = l.sku_id
     WHERE s.sku_id = l.sku_id;
  END IF;

  SELECT coalesce(jsonb_object_agg(l.sku_id, l.available), '{}') INTO free
    FROM (SELECT s.sku_id, s.on_hand - s.reserved AS available FROM inventory_stockitem s
           WHERE s.sku_id = ANY(hot) ORDER BY s.sku_id FOR UPDATE) AS l;
  SELECT coalesce(jsonb_object_agg(l.sku_id, l.available), '{}') INTO cold
    FROM (SELECT s.sku_id, s.on_hand - s.reserved AS available FROM inventory_stockitem s
           WHERE s.sku_id = ANY(sku_ids) AND s.sku_id <> ALL(hot) ORDER BY s.sku_id FOR UPDATE SKIP LOCKED) AS l;
  free := free || cold;
  began := clock_timestamp();

  IF NOT EXISTS (
    SELECT FROM unnest(sku_ids, quantities) AS u (sku_id, quantity)
     GROUP BY u.sku_id HAVING sum(u.quantity) > coalesce((free->>u.sku_id)::int, 0)) THEN
    granted := ids;
  ELSE
    granted := '{}';
    held := ARRAY(SELECT s.sku_id FROM inventory_stockitem s WHERE s.sku_id = ANY(sku_ids) AND NOT free ? s.sku_id);
    busy_owners := ARRAY(
      SELECT r.owner FROM inventory_reservation r WHERE r.owner = ANY(owners) AND r.state = 'soft');
    FOR request IN
      SELECT q.owner, q.id, array_agg(u.sku_id) AS sku_ids, array_agg(u.quantity) AS quantities
        FROM unnest(owners, ids) WITH ORDINALITY AS q (owner, id, number)
             JOIN unnest(numbers, sku_ids, quantities) AS u (number, sku_id, quantity) USING (number)
       GROUP BY q.number, q.owner, q.id ORDER BY q.number
    LOOP
      CONTINUE WHEN request.owner = ANY(busy_owners) OR request.sku_ids && held;
      SELECT jsonb_agg(jsonb_build_array(w.sku_id, w.quantity, coalesce((free->>w.sku_id)::int, 0)) ORDER BY w.sku_id)
        INTO missing
        FROM unnest(request.sku_ids, request.quantities) AS w (sku_id, quantity)
       WHERE w.quantity > coalesce((free->>w.sku_id)::int, 0);
      IF missing IS NULL THEN
        SELECT free || jsonb_object_agg(w.sku_id, (free->>w.sku_id)::int - w.quantity) INTO free
          FROM unnest(request.sku_ids, request.quantities) AS w (sku_id, quantity);
        granted := granted || request.id;
        busy_owners := busy_owners || request.owner;
      ELSIF looked_for_overdue THEN
        refused := refused || jsonb_build_object(request.id, missing);
      END IF;
    END LOOP;
  END IF;

  -- An owner who has a reservation, or gets one elsewhere this very moment, is left out by the conflict.
  WITH made_now AS (
         INSERT INTO inventory_reservation (id, owner, state, created_at, expires_at, renewals, cause)
         SELECT q.id, q.owner, 'soft', began, began + make_interval(secs => q.life), 0, ''
           FROM unnest(owners, ids, lives) WITH ORDINALITY AS q (owner, id, life, number)
          WHERE q.id = ANY(granted) ORDER BY q.number
             ON CONFLICT (owner) WHERE state = 'soft' DO NOTHING
         RETURNING id),
       lines AS (
         INSERT INTO inventory_reservationline (reservation_id, sku_id, quantity, is_live)
         SELECT ids[u.number], u.sku_id, u.quantity, true
           FROM unnest(numbers, sku_ids, quantities) AS u (number, sku_id, quantity)
          WHERE ids[u.number] IN (SELECT id FROM made_now)
         RETURNING sku_id, quantity),
       units AS MATERIALIZED (SELECT sku_id, sum(quantity)::int AS units FROM lines GROUP BY sku_id),
       counted AS (
         UPDATE inventory_stockitem s SET reserved = s.reserved + u.units FROM units u
          WHERE s.sku_id = u.sku_id AND s.sku_id = ANY(ARRAY(SELECT sku_id FROM units)))
  SELECT coalesce(array_agg(id), '{}') INTO made FROM made_now;

  -- Who is left out leaves units that may be enough for those who are refused: those are asked elsewhere, too.
  RETURN QUERY
    SELECT CASE WHEN q.id = ANY(made) THEN 'granted'
                WHEN refused ? q.id AND cardinality(made) = cardinality(granted) THEN 'short' ELSE 'elsewhere' END,
           CASE WHEN cardinality(made) = cardinality(granted) THEN refused->q.id END,
           began, began + make_interval(secs => q.life)
      FROM unnest(ids, lives) WITH ORDINALITY AS q (id, life, number) ORDER BY q.number;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0009_what_ended_long_ago_may_go")]

    operations = [
        migrations.RunSQL(
            TOGETHER,
            "DROP FUNCTION inventory_reserve_together(text[], text[], integer[], integer[], text[], integer[], text[])",
        ),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("LaneRequest")]),
    ]
