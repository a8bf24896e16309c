"""The lane of a hot SKU: one session decides all waiting requests in order of arrival, in one commit."""

from django.db import migrations

# Locks: the lane (advisory), requests, overdue reservations, then stock rows by ascending SKU. A function sees with
# each of its statements what is committed by then, so what is read after a lock is as it is under that lock.
DECIDE = """
CREATE FUNCTION inventory_decide_lane(the_lane text, patience_seconds integer, most integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  ids bigint[]; wanted text[]; busy_owners text[];
  granted bigint[] := '{}'; elsewhere bigint[] := '{}'; refused bigint[] := '{}'; made text[];
  back jsonb := '{}'; free jsonb; missing jsonb; shortages jsonb := '{}';
  request record;
BEGIN
  ids := ARRAY(
    SELECT id FROM inventory_lanerequest
     WHERE lane = the_lane AND state = 'waiting'
       AND created_at > clock_timestamp() - make_interval(secs => patience_seconds)  -- nobody waits for older ones
     ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED);
  IF cardinality(ids) = 0 THEN RETURN; END IF;
  wanted := ARRAY(
    SELECT DISTINCT u.sku_id FROM inventory_lanerequest q, unnest(q.sku_ids) AS u (sku_id) WHERE q.id = ANY(ids));

  -- What is too little for all of them may be in reservations that are overdue: those end first.
  IF EXISTS (
    SELECT FROM inventory_lanerequest q, unnest(q.sku_ids, q.quantities) AS u (sku_id, quantity)
           LEFT JOIN inventory_stockitem s ON s.sku_id = u.sku_id
     WHERE q.id = ANY(ids)
     GROUP BY u.sku_id, s.on_hand, s.reserved
    HAVING sum(u.quantity) > coalesce(s.on_hand - s.reserved, 0)) THEN
    WITH overdue AS MATERIALIZED (
           SELECT r.id FROM inventory_reservation r
            WHERE r.state = 'soft' AND r.expires_at <= clock_timestamp()
              AND r.id IN (SELECT l.reservation_id FROM inventory_reservationline l
                            WHERE l.is_live AND l.sku_id = ANY(wanted))
            ORDER BY r.expires_at LIMIT 500 FOR UPDATE SKIP LOCKED),
         moved AS (
           UPDATE inventory_reservation r SET state = 'expired', cause = 'taken_over', ended_at = clock_timestamp()
             FROM overdue o WHERE r.id = o.id AND r.state = 'soft' RETURNING r.id),
         ended AS (
           UPDATE inventory_reservationline l SET is_live = false
             FROM moved WHERE l.reservation_id = moved.id RETURNING l.sku_id, l.quantity)
    SELECT coalesce(jsonb_object_agg(e.sku_id, e.units), '{}') INTO back
      FROM (SELECT sku_id, sum(quantity) AS units FROM ended GROUP BY sku_id) AS e;
  END IF;

  wanted := wanted || ARRAY(SELECT jsonb_object_keys(back));
  SELECT coalesce(jsonb_object_agg(l.sku_id, l.available + coalesce((back->>l.sku_id)::int, 0)), '{}') INTO free
    FROM (SELECT s.sku_id::text, s.on_hand - s.reserved AS available FROM inventory_stockitem s
           WHERE s.sku_id = ANY(wanted) ORDER BY s.sku_id FOR UPDATE) AS l;
  busy_owners := ARRAY(
    SELECT r.owner FROM inventory_reservation r JOIN inventory_lanerequest q ON q.owner = r.owner
     WHERE q.id = ANY(ids) AND r.state = 'soft');

  FOR request IN SELECT id, owner, sku_ids, quantities FROM inventory_lanerequest WHERE id = ANY(ids) ORDER BY id LOOP
    IF request.owner = ANY(busy_owners) THEN
      elsewhere := elsewhere || request.id;
      CONTINUE;
    END IF;
    SELECT jsonb_agg(jsonb_build_array(w.sku_id, w.quantity, coalesce((free->>w.sku_id)::int, 0)) ORDER BY w.sku_id)
      INTO missing
      FROM unnest(request.sku_ids, request.quantities) AS w (sku_id, quantity)
     WHERE w.quantity > coalesce((free->>w.sku_id)::int, 0);
    IF missing IS NULL THEN
      SELECT free || jsonb_object_agg(w.sku_id, (free->>w.sku_id)::int - w.quantity) INTO free
        FROM unnest(request.sku_ids, request.quantities) AS w (sku_id, quantity);
      granted := granted || request.id;
      busy_owners := busy_owners || request.owner::text;
    ELSE
      refused := refused || request.id;
      shortages := shortages || jsonb_build_object(request.id::text, missing);
    END IF;
  END LOOP;

  -- An owner who got a reservation elsewhere this very moment is left out by the conflict, not by an error.
  WITH made_now AS (
         INSERT INTO inventory_reservation
                (id, owner, state, created_at, expires_at, pinned_until, renewals, ended_at, cause)
         SELECT q.reservation_id, q.owner, 'soft', now.at, now.at + make_interval(secs => q.ttl_seconds),
                NULL, 0, NULL, ''
           FROM inventory_lanerequest q, (SELECT clock_timestamp() AS at) AS now
          WHERE q.id = ANY(granted) ORDER BY q.id
             ON CONFLICT (owner) WHERE state = 'soft' DO NOTHING
         RETURNING id),
       lines AS (
         INSERT INTO inventory_reservationline (reservation_id, sku_id, quantity, is_live)
         SELECT m.id, u.sku_id, u.quantity, true
           FROM made_now m JOIN inventory_lanerequest q ON q.reservation_id = m.id,
                unnest(q.sku_ids, q.quantities) AS u (sku_id, quantity)
          WHERE q.id = ANY(granted))
  SELECT coalesce(array_agg(id), '{}') INTO made FROM made_now;

  UPDATE inventory_stockitem s SET reserved = s.reserved + moved.units
    FROM (SELECT u.sku_id, sum(u.units)::int AS units
            FROM (SELECT w.sku_id, w.quantity AS units
                    FROM inventory_lanerequest q, unnest(q.sku_ids, q.quantities) AS w (sku_id, quantity)
                   WHERE q.id = ANY(granted) AND q.reservation_id = ANY(made)
                   UNION ALL
                  SELECT b.key, -b.value::int FROM jsonb_each_text(back) AS b) AS u
           GROUP BY u.sku_id) AS moved
   WHERE s.sku_id = moved.sku_id AND s.sku_id = ANY(wanted) AND moved.units <> 0;

  -- Units that the left out did not take may be enough for the refused: those are asked again with the next batch.
  UPDATE inventory_lanerequest q
     SET state = CASE WHEN q.id = ANY(refused) THEN 'short'
                      WHEN q.reservation_id = ANY(made) THEN 'granted' ELSE 'elsewhere' END,
         short = shortages->q.id::text
   WHERE q.id = ANY(ids)
     AND NOT (q.id = ANY(refused) AND cardinality(made) < cardinality(granted));
END $$
"""

# Lead if nobody does, else wait until the leader is through, and look again. One lock says who leads, another is waited
# for: shared, so that all who wait wake up at once, and given back at once, by ending the block. What is answered is
# taken out. An empty answer: still undecided.
PASS = """
CREATE FUNCTION inventory_pass_lane(
  the_id bigint, the_lane text, patience_seconds integer, most integer,
  OUT the_state text, OUT the_shortages jsonb, OUT created timestamptz, OUT expires timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
  to_lead bigint := hashtextextended(the_lane, 4711);
  to_wait bigint := hashtextextended(the_lane, 4712);
  until timestamptz := clock_timestamp() + make_interval(secs => patience_seconds);
  the_reservation text;
BEGIN
  LOOP
    IF pg_try_advisory_xact_lock(to_lead) THEN
      PERFORM pg_advisory_xact_lock(to_wait);
      IF EXISTS (SELECT FROM inventory_lanerequest WHERE id = the_id AND state = 'waiting') THEN
        PERFORM inventory_decide_lane(the_lane, patience_seconds, most);
      END IF;
    ELSE
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(to_wait);
        RAISE EXCEPTION USING ERRCODE = 'TR001';
      EXCEPTION WHEN SQLSTATE 'TR001' THEN NULL;
      END;
    END IF;
    DELETE FROM inventory_lanerequest WHERE id = the_id AND state <> 'waiting'
      RETURNING state, short, reservation_id INTO the_state, the_shortages, the_reservation;
    EXIT WHEN the_state IS NOT NULL OR clock_timestamp() > until;
    -- A crash of the database empties the table: then nobody will ever answer.
    EXIT WHEN NOT EXISTS (SELECT FROM inventory_lanerequest WHERE id = the_id);
  END LOOP;
  IF the_state = 'granted' THEN
    SELECT created_at, expires_at INTO created, expires FROM inventory_reservation WHERE id = the_reservation;
  END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_the_lane_of_hot_skus")]

    operations = [
        # Requests live for milliseconds: writing them to the log of the database would double what a reservation costs.
        migrations.RunSQL(
            "ALTER TABLE inventory_lanerequest SET UNLOGGED", "ALTER TABLE inventory_lanerequest SET LOGGED"
        ),
        migrations.RunSQL(DECIDE, "DROP FUNCTION inventory_decide_lane(text, integer, integer)"),
        migrations.RunSQL(PASS, "DROP FUNCTION inventory_pass_lane(bigint, text, integer, integer)"),
    ]
