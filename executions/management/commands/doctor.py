"""`manage.py doctor`, for operators: tests all that runs need."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from executions.doctor import Finding, diagnose


class Command(BaseCommand):
    help = "Reach all that runs need, and say what is wrong and how to mend it."
    # Wrong settings are reported as findings, like the rest.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--format", choices=["text", "json"], default="text", help="text by default"
        )
        parser.add_argument(
            "--invoke", action="store_true", help="have the agent answer a prompt, too"
        )

    def handle(self, *args: Any, invoke: bool, **options: Any) -> None:
        findings = []
        for finding in diagnose(invoke=invoke):
            findings.append(finding)
            if options["format"] == "text":
                self._show(finding)
        if options["format"] == "json":
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        failed = sum(finding.verdict == "fail" for finding in findings)
        if failed:
            raise CommandError(f"{failed} of {len(findings)} failed.")

    def _show(self, finding: Finding) -> None:
        style = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        verdict = style[finding.verdict](f"{finding.verdict:6}")
        self.stdout.write(f"{verdict}{finding.subject:14}{finding.text}")
        if finding.fix:
            self.stdout.write(f"{'':20}{finding.fix}")
