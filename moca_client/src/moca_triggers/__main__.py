"""The command line, for `python -m moca_triggers`."""

from moca_triggers.cli import main

main()
