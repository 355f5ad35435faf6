"""Add the lines of concurrency keys, and the key of a run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("executions", "0017_prompt_version"),
    ]

    operations = [
        migrations.AddField(
            model_name="triggerexecution",
            name="concurrency_key",
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("user_id", models.CharField(max_length=128)),
                ("holders", models.JSONField(default=list)),
                ("waiting", models.PositiveIntegerField(default=0)),
                ("stamp", models.CharField(max_length=36)),
                (
                    "ttl",
                    models.PositiveBigIntegerField(
                        help_text="Epoch seconds after which the row goes."
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["ttl"], name="executions__ttl_f846b2_idx")],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.CharField(max_length=36, primary_key=True, serialize=False)),
                ("line_id", models.CharField(max_length=64)),
                ("trigger_id", models.CharField(max_length=36)),
                ("user_id", models.CharField(max_length=128)),
                ("most", models.PositiveIntegerField()),
                ("asked_at", models.DateTimeField()),
                ("handed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["line_id", "id"], name="executions__line_id_da72a6_idx"),
                    models.Index(fields=["asked_at"], name="executions__asked_a_3e37b8_idx"),
                ],
            },
        ),
    ]
