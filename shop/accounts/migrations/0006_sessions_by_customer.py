"""A table of sessions that says whose they are; those that are there move into it, so that nobody is signed out."""

from django.db import migrations, models
from django.utils import timezone

from shop.accounts.sessions import SessionStore, user_id_of

BATCH = 1_000


def move(apps, schema_editor):
    """Copy what is still good, with its customer, and empty the table of before: nobody reads that any more."""
    before, after = apps.get_model("sessions", "Session"), apps.get_model("accounts", "WebSession")
    store, last = SessionStore(), ""
    good = before.objects.filter(expire_date__gt=timezone.now()).order_by("pk")
    while rows := list(good.filter(pk__gt=last)[:BATCH]):
        last = rows[-1].pk
        after.objects.bulk_create(
            [
                after(
                    session_key=row.session_key,
                    session_data=row.session_data,
                    expire_date=row.expire_date,
                    user_id=user_id_of(store.decode(row.session_data)),
                )
                for row in rows
            ],
            ignore_conflicts=True,
        )
    before.objects.all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_time_zone'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebSession',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('user_id', models.BigIntegerField(null=True, verbose_name='customer')),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'abstract': False,
                'default_permissions': (),
                'indexes': [models.Index(condition=models.Q(('user_id__isnull', False)), fields=['user_id'], name='web_session_of_user')],
            },
        ),
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
