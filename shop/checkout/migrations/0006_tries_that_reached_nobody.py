from django.db import migrations, models

REACHED = models.Q(("reason", "gateway_unavailable"), ("state", "failed"), _negated=True)
BUILD = """
CREATE UNIQUE INDEX CONCURRENTLY one_reached_payment_a_key ON checkout_payment (checkout_id, key)
 WHERE NOT (reason = 'gateway_unavailable' AND state = 'failed')
"""


class Migration(migrations.Migration):
    """The new index is built beside the running shop, and the one that it replaces goes afterwards."""

    atomic = False

    dependencies = [
        ("checkout", "0005_refunds"),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        # What an earlier, interrupted build has left is not valid.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS one_reached_payment_a_key", migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(BUILD, "DROP INDEX CONCURRENTLY IF EXISTS one_reached_payment_a_key"),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="payment",
                    constraint=models.UniqueConstraint(
                        fields=["checkout", "key"],
                        condition=REACHED,
                        name="one_reached_payment_a_key",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="payment", name="one_payment_a_key"),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
