"""Commands about the connection: log in and out, who am I, and the shell's completion."""

import sys

import click
from click.shell_completion import get_completion_class

from moca_triggers import configuration
from moca_triggers.cli.session import Session, json_option, pass_session
from moca_triggers.cli.show import as_json, facts, say
from moca_triggers.client import Client
from moca_triggers.configuration import Configuration
from moca_triggers.transport import checked_url


@click.command()
@pass_session
def login(session: Session) -> None:
    """Keep an address and a token in a file that only you can read.

    Asks for both. The token is read from standard input if that is no terminal. It is never an
    argument, which other users of the machine could see.
    """
    is_asked = sys.stdin.isatty()
    if session.named or not is_asked:
        url = session.named or configuration.read().url
    else:
        url = click.prompt("Address", default="http://127.0.0.1:8000", err=True)
    url = checked_url(url)
    if is_asked:
        token = click.prompt("Token or API key (not shown)", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    token = token.strip()
    if not token:
        raise click.UsageError("There is no token: write it on standard input.")
    with Client(url, token, timeout=session.timeout) as client:
        user = client.user_id()
    file = configuration.write(Configuration(url, token))
    say(f"Signed in at {url} as {user}. The token is in {file}.")


@click.command()
def logout() -> None:
    """Delete the file that `login` has written. The token stays valid until it expires."""
    say("The token is deleted here." if configuration.forget() else "There was no token.")


@click.command()
@json_option
@pass_session
def whoami(session: Session, is_json: bool) -> None:
    """Show the installation, and the user whom the token stands for."""
    found = {
        "url": session.configuration.url,
        "user": session.client.user_id(),
        "token": session.configuration.origin,
    }
    if is_json:
        as_json(found)
    else:
        facts(found)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and names of triggers in a shell.

    For bash: source <(moca-triggers completion bash)
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    root = context.find_root()
    name = "moca-triggers"
    click.echo(kind(root.command, {}, name, "_MOCA_TRIGGERS_COMPLETE").source())


COMMANDS = (login, logout, whoami, completion)
