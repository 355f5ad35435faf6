#!/usr/bin/env python
"""Django's command line for Moca Triggers."""

import os
import sys

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
except ImportError as error:
    sys.exit(f"{error}. Run `make run` once, then .venv/bin/python manage.py.")


def main() -> None:
    chosen = os.environ.setdefault("DJANGO_SETTINGS_MODULE", "moca.settings")
    # `run` has set it for the scheduler that it starts.
    if chosen == "moca.settings" and sys.argv[1:2] == ["runscheduler"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = "moca.scheduler_settings"
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except BrokenPipeError:
        # Who reads the output, such as `head`, wants no more. Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
