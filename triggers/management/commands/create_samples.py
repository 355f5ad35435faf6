"""Command that creates sample triggers, for operators who try the service."""

import argparse
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from moca import audit
from moca.authentication.models import Operator
from moca.concurrency import reason_of
from triggers import services
from triggers.intervals import interval_errors
from triggers.models import Trigger

SAMPLES: list[dict[str, Any]] = [
    {
        "name": "Every minute",
        "description": "A sample that shows a run each minute. Disable or delete it at will.",
        "prompt": "Say what time it is, and name one thing worth doing at this time of day.",
        "schedule_config": {"expression": "cron(* * * * ? *)", "timezone": "UTC"},
        "tags": ["sample"],
    },
    {
        "name": "Weekday morning report",
        "description": "A sample with a time zone.",
        "prompt": "Write a short report on what happened since yesterday.",
        "schedule_config": {"expression": "cron(0 9 ? * MON-FRI *)", "timezone": "Asia/Tokyo"},
        "tags": ["sample"],
    },
]


class Command(BaseCommand):
    help = "Create two sample triggers for an operator; fails if MAX_TRIGGERS_PER_USER is reached."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("username", help="the operator whose they are")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        operator = Operator.objects.filter(username=username).first()
        if operator is None:
            raise CommandError(f"There is no operator {username}: create one first.")
        by = audit.system("create_samples")
        for number, sample in enumerate(SAMPLES):
            if interval_errors(sample["schedule_config"], None, timezone.now()):
                self.stdout.write(f"{sample['name']} is left out because of MIN_INTERVAL_MINUTES.")
                continue
            make = partial(_make, operator.subject, sample)
            try:
                trigger = services.create(make, by=by, why="A sample to try.")
            except ValidationError as error:
                raise CommandError(
                    f"{number} of {len(SAMPLES)} samples were made. {'; '.join(error.messages)} "
                    "MAX_TRIGGERS_PER_USER sets how many."
                ) from error
            except services.REFUSALS as error:
                raise CommandError(
                    f"{number} of {len(SAMPLES)} samples were made. {reason_of(error)}"
                ) from error
            self.stdout.write(f"Trigger {trigger.name}: {trigger.schedule_description}")


def _make(user_id: str, sample: dict[str, Any]) -> Trigger:
    trigger = Trigger(user_id=user_id, agent_id="demo-agent", **sample)
    trigger.full_clean(validate_unique=False)
    return trigger
