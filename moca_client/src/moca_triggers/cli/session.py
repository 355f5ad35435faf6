"""What the commands share: the client, and finding what a person names."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from moca_triggers.client import Client
from moca_triggers.configuration import Configuration, read
from moca_triggers.errors import MocaTriggersError, NotFoundError
from moca_triggers.models import Trigger, TriggerExecution

# A completion that takes longer than this is of no use to the person who types.
COMPLETION_SECONDS = 2.0
COMPLETED = 50


class Session:
    """One call of the command line.

    Args:
        url: the address that the person names; empty for the configured one.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.named, self.timeout = url, timeout
        self._client: Client | None = None

    @property
    def configuration(self) -> Configuration:
        """The installation and its token."""
        return read(self.named)

    @property
    def client(self) -> Client:
        """The client, connected at the first use."""
        if self._client is None:
            found = self.configuration
            self._client = Client(found.url, found.token, timeout=self.timeout)
        return self._client

    def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()

    def find(self, reference: str) -> Trigger:
        """The trigger that an id or a whole name means.

        Raises:
            NotFoundError: no trigger has the id or the name.
            click.UsageError: several triggers have the name.
        """
        try:
            return self.client.trigger(reference)
        except NotFoundError:
            # It is not an id, or not one of this user.
            pass
        found = [each for each in self.client.triggers(search=reference) if _is(each, reference)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise _missing(
                f"You have no trigger with the id or the name {reference!r}: see `moca-triggers "
                "list`."
            )
        ids = ", ".join(each["id"] for each in found)
        raise click.UsageError(
            f"{len(found)} triggers have the name {reference!r}: name one of {ids}."
        )

    def run_of(
        self, trigger: Trigger, execution_id: str | None, **filters: str
    ) -> TriggerExecution:
        """The run with this id, or the newest one that fits the filters.

        Raises:
            NotFoundError: there is none.
        """
        if execution_id:
            return self.client.execution(trigger["id"], execution_id)
        newest = next(self.client.executions(trigger["id"], page_size=1, **filters), None)
        if newest is None:
            which = "no run under way" if filters else "no run yet"
            raise _missing(f"{trigger['name']!r} has {which}.")
        return newest


pass_session = click.make_pass_decorator(Session)


def _missing(message: str) -> NotFoundError:
    return NotFoundError(404, {"message": message, "code": "NOT_FOUND"})


def _is(trigger: Trigger, name: str) -> bool:
    return trigger["name"].casefold() == name.casefold()


def complete_trigger(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """The names that begin like this, for a shell's completion, which prints no error."""
    options = context.find_root().params
    session = Session(options.get("url") or "", COMPLETION_SECONDS)
    try:
        configured = session.configuration
        with Client(configured.url, configured.token, timeout=2, retries=0) as client:
            named = client.triggers(search=begun or None, page_size=COMPLETED)
            return [
                CompletionItem(each["name"], help=each["id"])
                for each, _number in zip(named, range(COMPLETED), strict=False)
                if each["name"].startswith(begun)
            ]
    except MocaTriggersError:
        return []


def trigger_argument(function: Any) -> Any:
    """The argument TRIGGER of a command."""
    return click.argument("trigger", shell_complete=complete_trigger)(function)


json_option = click.option(
    "--json", "is_json", is_flag=True, help="Print JSON of the API, for scripts."
)
