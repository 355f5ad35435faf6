"""Neither the handler nor an idle scheduler loads what only deliveries need."""

import subprocess
import sys

import pytest

# Apprise alone takes a second and 30 MB.
HEAVY = ["apprise", "smtplib", "standardwebhooks", "alerts.channels.webhook"]


@pytest.mark.parametrize("module", ["executions.lambda_handler", "executions.scheduler"])
def test_start_loads_no_channel(module: str) -> None:
    setup = "import django; django.setup()" if module.endswith("scheduler") else ""
    code = f"{setup}\nimport sys, {module}\nprint([n for n in {HEAVY} if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"DJANGO_SETTINGS_MODULE": "moca.handler_settings", "SECRET_KEY": "x"},
    )
    assert found.stdout.strip() == "[]"
