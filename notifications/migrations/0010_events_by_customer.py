from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Millions of events: their index is built beside the running shop, and the one it replaces goes afterwards."""

    atomic = False

    dependencies = [
        ('notifications', '0009_attribution'),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        AddIndexConcurrently(
            model_name='abandonment',
            index=models.Index(fields=['user_id'], name='event_of_customer'),
        ),
        AddIndexConcurrently(
            model_name='touch',
            index=models.Index(condition=models.Q(('visitor', ''), _negated=True), fields=['visitor', 'at'], name='touch_of_visitor'),
        ),
        RemoveIndexConcurrently(
            model_name='abandonment',
            name='event_cooldown',
        ),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
