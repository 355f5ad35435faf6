"""Commands about runs: run, runs, logs, cancel and replay."""

from itertools import islice

import click

from moca_triggers.cli.session import Session, json_option, pass_session, trigger_argument
from moca_triggers.cli.show import as_json, local, outcome, piece, say, table
from moca_triggers.models import TriggerExecution

SUCCESS = "success"
follow_option = click.option(
    "-f", "--follow", is_flag=True, help="Print what the agent says until the run ends."
)
within_option = click.option(
    "--within",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="With --follow: wait at most so long for the end. The run goes on.",
)


@click.command("run")
@trigger_argument
@follow_option
@within_option
@json_option
@click.pass_context
def run_now(
    context: click.Context, trigger: str, follow: bool, within: float | None, is_json: bool
) -> None:
    """Run a trigger now, enabled or not.

    With --follow, the exit code is 1 if the run does not succeed.
    """
    session: Session = context.obj
    started = session.client.run(session.find(trigger)["id"])
    if follow:
        context.exit(_follow(session, started, within, is_json))
    if is_json:
        as_json(started)
    else:
        say(f"Started the run {started['executionId']}.")


@click.command()
@trigger_argument
@click.argument("execution", required=False)
@click.pass_context
def replay(context: click.Context, trigger: str, execution: str | None) -> None:
    """Run the input of a run again: of the newest, or of EXECUTION."""
    session: Session = context.obj
    found = session.find(trigger)
    run = session.run_of(found, execution)
    started = session.client.replay(found["id"], run["executionId"])
    say(f"Started the run {started['executionId']}.")


@click.command()
@trigger_argument
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--outcome", "ended", metavar="OUTCOME", help="Only those that ended so.")
@json_option
@pass_session
def runs(session: Session, trigger: str, limit: int, ended: str | None, is_json: bool) -> None:
    """List the runs of a trigger, newest first."""
    found = session.client.executions(
        session.find(trigger)["id"], page_size=min(limit, 100), outcome=ended
    )
    rows = list(islice(found, limit))
    if is_json:
        as_json(rows)
        return
    table(
        ["RUN", "SOURCE", "STARTED", "SECONDS", "OUTCOME", "WHY"],
        [
            [
                run["executionId"],
                run.get("source", ""),
                local(run["startedAt"]),
                f"{run['durationMs'] / 1000:.1f}" if "durationMs" in run else "",
                outcome(run),
                run.get("error", ""),
            ]
            for run in rows
        ],
    )


@click.command()
@trigger_argument
@click.argument("execution", required=False)
@follow_option
@within_option
@json_option
@click.pass_context
def logs(
    context: click.Context,
    trigger: str,
    execution: str | None,
    follow: bool,
    within: float | None,
    is_json: bool,
) -> None:
    """Print what the agent said in the newest run, or in EXECUTION.

    With --follow, the exit code is 1 if the run does not succeed.
    """
    session: Session = context.obj
    run = session.run_of(session.find(trigger), execution)
    if follow:
        context.exit(_follow(session, run, within, is_json))
    run = session.client.execution(run["triggerId"], run["executionId"])
    if is_json:
        as_json(run)
        return
    piece(run.get("output", ""))
    _end_line(run.get("output", ""))
    say(_sentence(run))


@click.command()
@trigger_argument
@click.argument("execution", required=False)
@json_option
@pass_session
def cancel(session: Session, trigger: str, execution: str | None, is_json: bool) -> None:
    """Cancel the run that is under way, or EXECUTION. It ends within seconds."""
    found = session.find(trigger)
    run = session.run_of(found, execution, status="running")
    cancelled = session.client.cancel(found["id"], run["executionId"])
    if is_json:
        as_json(cancelled)
    else:
        say(f"Asked the run {run['executionId']} to end.")


def _follow(session: Session, run: TriggerExecution, within: float | None, is_json: bool) -> int:
    """Print what the agent says until the run ends; returns the exit code."""
    trigger_id, execution_id = run["triggerId"], run["executionId"]
    last = ""
    try:
        for text in session.client.follow(trigger_id, execution_id, seconds=within):
            last = text
            if not is_json:
                piece(text)
    except KeyboardInterrupt:
        _end_line(last)
        say(f"The run goes on. To end it: moca-triggers cancel {trigger_id} {execution_id}")
        raise
    if not is_json:
        _end_line(last)
    ended = session.client.execution(trigger_id, execution_id)
    if is_json:
        as_json(ended)
    else:
        say(_sentence(ended))
    return 0 if outcome(ended) == SUCCESS else 1


def _end_line(text: str) -> None:
    if text and not text.endswith("\n"):
        click.echo()


def _sentence(run: TriggerExecution) -> str:
    """How a run ended, for the person."""
    ended = outcome(run)
    seconds = f" after {run['durationMs'] / 1000:.1f} s" if "durationMs" in run else ""
    asked = [question["text"] for question in run.get("questions", [])]
    reason = run.get("error") or ("It asks: " + " ".join(asked) if asked else "")
    return f"Run {run['executionId']}: {ended}{seconds}. {reason}".strip()


COMMANDS = (run_now, runs, logs, cancel, replay)
