"""Leave room in each page of the stock table, so that a counter's new version fits beside its old one (HOT)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE inventory_stockitem SET (fillfactor = 60)",
            "ALTER TABLE inventory_stockitem RESET (fillfactor)",
        )
    ]
