from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built beside the running shop, in which visits are written."""

    atomic = False

    dependencies = [
        ('notifications', '0016_visit_sources'),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        AddIndexConcurrently(
            model_name='touch',
            index=models.Index(condition=models.Q(('source', ''), _negated=True), fields=['source'], name='touch_from_source'),
        ),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
