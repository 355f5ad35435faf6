"""Note on each trigger whether it hears of the ends of runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0015_output_checks")]

    operations = [
        migrations.AddField(
            model_name="trigger",
            name="hears_runs",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name="trigger",
            index=models.Index(fields=["hears_runs"], name="triggers_tr_hears_r_7897ef_idx"),
        ),
    ]
