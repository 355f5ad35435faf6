"""The command `moca-triggers`: its options, its groups of commands, and its exit codes."""

import sys
from collections.abc import Sequence

import click

from moca_triggers.cli import account, files, runs, schedules, triggers
from moca_triggers.cli.session import Session
from moca_triggers.cli.show import say
from moca_triggers.errors import (
    AnswerError,
    ConfigurationError,
    MocaTriggersError,
    RefusedError,
    UnfinishedError,
)

FAILED, USAGE, UNREACHABLE, REFUSED, INTERRUPTED = 1, 2, 3, 4, 130
NAME = "moca-triggers"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 a run failed, 2 wrong usage, 3 the server cannot be reached or "
    "has failed, 4 the server refused.",
)
@click.option("--url", metavar="URL", help="The installation, before MOCA_TRIGGERS_URL.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each answer.",
)
@click.version_option(package_name="moca-triggers-client")
@click.pass_context
def cli(context: click.Context, url: str | None, timeout: float) -> None:
    """See, run and change the triggers of a Moca Triggers installation.

    The token comes from MOCA_TRIGGERS_TOKEN, or from the file that `login` writes. TRIGGER is a
    trigger's id or its whole name.
    """
    context.obj = Session(url or "", timeout)
    context.call_on_close(context.obj.close)


for module in (account, files, runs, schedules, triggers):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    try:
        code = cli.main([*arguments], prog_name=NAME, standalone_mode=False)
    except SystemExit:
        # click ends so if the reader, such as `head`, has seen enough, or for a shell's completion.
        return 0
    except click.Abort:
        say("Interrupted.")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return USAGE
    except MocaTriggersError as error:
        _explain(error)
        return _code(error)
    return code if isinstance(code, int) else 0


def _code(error: MocaTriggersError) -> int:
    if isinstance(error, ConfigurationError):
        return USAGE
    if isinstance(error, UnfinishedError):
        return FAILED
    return REFUSED if isinstance(error, RefusedError) else UNREACHABLE


def _explain(error: MocaTriggersError) -> None:
    say(f"Error: {error}")
    if not isinstance(error, AnswerError):
        return
    # The message has the first field already.
    for detail in error.details[1:]:
        say(f"  {detail['field']}: {detail['message']}")
    if error.request_id and error.status >= 500:
        say(f"  The server's log has it under {error.request_id}.")
