"""Add the concurrency key of a trigger, and policies that let runs wait or cancel them."""

import django.core.validators
import re
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("triggers", "0016_chains"),
    ]

    operations = [
        migrations.AddField(
            model_name="trigger",
            name="concurrency_key",
            field=models.CharField(
                blank=True,
                help_text="Runs of all your triggers with the same key share the places: agent for the trigger's agent, a name such as a tag, or a value such as {{ event.detail.customer.id }}. Empty: the trigger's own runs.",
                max_length=200,
                validators=[
                    django.core.validators.RegexValidator(
                        re.compile("\\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\\Z"),
                        "Give one line, without line breaks and other control characters.",
                        "one_line",
                    )
                ],
            ),
        ),
        migrations.AddField(
            model_name="trigger",
            name="max_concurrent",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="So many runs of the key may be under way at once. Further ones wait, or are dropped, as the policy says. Empty: 1 if there is a key.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
        migrations.AlterField(
            model_name="trigger",
            name="overlap_policy",
            field=models.CharField(
                choices=[
                    ("skip", "Skip the run while the previous one is in progress"),
                    ("allow", "Let runs overlap"),
                    ("buffer_one", "Let one run wait until the previous one has ended"),
                    ("cancel_other", "Cancel the previous run, then begin"),
                ],
                default="skip",
                max_length=12,
            ),
        ),
    ]
