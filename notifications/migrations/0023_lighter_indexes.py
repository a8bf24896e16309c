from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Millions of messages: their index is built beside the running shop, and those it needs no more go afterwards."""

    atomic = False

    dependencies = [
        ('notifications', '0022_amounts'),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        AddIndexConcurrently(
            model_name='message',
            index=models.Index(fields=['created_at', 'id'], name='message_by_time'),
        ),
        RemoveIndexConcurrently(
            model_name='message',
            name='message_newest',
        ),
        RemoveIndexConcurrently(
            model_name='abandonment',
            name='event_of_campaign',
        ),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
