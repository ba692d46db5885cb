"""The program `whimbrel`: nouns and verbs from the table of calls, and what no server can do for itself.

Exit: 0 done, 1 refused or failed, 2 usage, 3 not found, 4 server not reachable, 5 conflict, 6 a check found problems.
"""

import difflib
import os
import sys
from pathlib import Path
from typing import Any

import click

from whimbrel import __version__
from whimbrel.app import interpreter
from whimbrel.app.cli.reach import Reach
from whimbrel.app.cli.refusals import words_of
from whimbrel.app.cli.show import print_error
from whimbrel.services.admin import NOUNS
from whimbrel.services.admin.calls import CallError, Failure

DEFAULT_DIRECTORY = "/var/lib/whimbrel"


class _Nearest(click.Group):
    """Names the nearest known command when one is not known."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            known, joined = self.list_commands(ctx), "-".join(args[:2])
            close = [joined] if joined in known else difflib.get_close_matches(name, known, 1, 0.6)
            hint = f"; did you mean '{close[0]}'?" if close else f"; see `{ctx.command_path} --help`"
            ctx.fail(f"there is no command '{name}'{hint}")
        return super().resolve_command(ctx, args)


class Noun(_Nearest):
    """The verbs of one noun. Their module is loaded when it is needed."""

    def __init__(self, noun: str) -> None:
        super().__init__(noun, help=NOUNS[noun].help, no_args_is_help=True)
        self._noun = noun

    def list_commands(self, ctx: click.Context) -> list[str]:
        from whimbrel.services.admin.table import calls_of

        return [call.verb for call in calls_of(self._noun)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from whimbrel.app.cli.commands import command
        from whimbrel.services.admin.table import calls_of

        declared = next((call for call in calls_of(self._noun) if call.verb == cmd_name), None)
        return command(declared, cmd_name) if declared else None


class _EnoughRead(Exception):
    """Whoever read the output has enough, as `head` has."""


class _Interrupted(Exception):
    """By Ctrl-C, which is how what follows a log is ended."""


class Program(_Nearest):
    """All nouns, and the commands that stand alone."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Click would end with 1, and make a pipeline fail in which nothing did.
            raise _EnoughRead from None
        except KeyboardInterrupt:
            # Click would say that it was aborted; what a server was told to do may well be done.
            raise _Interrupted from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["setup", "serve", *NOUNS, "version", "completion"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in NOUNS:
            if not NOUNS[cmd_name].alone:
                return Noun(cmd_name)
            from whimbrel.app.cli.commands import command
            from whimbrel.services.admin.table import calls_of

            return command(calls_of(cmd_name)[0], cmd_name)
        return {"setup": setup, "serve": serve, "version": version, "completion": completion}.get(cmd_name)


@click.command(cls=Program, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: os.environ.get("WHIMBREL_DIR") or DEFAULT_DIRECTORY,
    show_default=f"WHIMBREL_DIR, or {DEFAULT_DIRECTORY}",
    help="The installation: everything of one server lies below it.",
)
@click.option(
    "--server",
    envvar="WHIMBREL_SERVER",
    metavar="URL",
    help="A server elsewhere: https://[USER@]HOST[:44337]. Who asks is told by a token, or by name and password.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False),
    help="With --server: file with an API token; else WHIMBREL_TOKEN has it.",
)
@click.option("--offline", is_flag=True, help="Work on the files; refused while the server runs.")
@click.version_option(__version__, "--version", prog_name="whimbrel", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context, directory: Path, server: str | None, token_file: str | None, offline: bool) -> None:
    """Whimbrel, a mail server. Works with the running server, or on its files when none runs."""
    if not server:
        if token_file:
            raise click.UsageError("--token-file belongs to --server")
        context.obj = Reach(directory.absolute(), offline=offline)
        return
    if offline or context.invoked_subcommand in _HERE:
        raise click.UsageError(
            f"--server and {'--offline' if offline else context.invoked_subcommand} exclude each other"
        )
    context.obj = _remote(server, token_file)
    context.call_on_close(context.obj.close)


_HERE = ("setup", "serve")
"""What is done on the machine itself."""


def _remote(url: str, token_file: str | None) -> Any:
    """click.UsageError."""
    from whimbrel.app.cli.remote import RemoteReach, Server, read_token  # Here: it loads TLS.

    try:
        token = read_token(token_file) if token_file else os.environ.get("WHIMBREL_TOKEN", "").strip()
        return RemoteReach(Server(url), token)
    except OSError as error:
        raise click.UsageError(f"{token_file}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.command(short_help="Run the server in the foreground.")
@click.option(
    "--setup-listen",
    metavar="ADDRESS:PORT",
    default="",
    help="Where the set-up answers while nothing is set up; the console's port unless given.",
)
@click.option(
    "--setup-from",
    metavar="NETWORK",
    multiple=True,
    help="A network from which the set-up can be opened, besides this machine and private networks.",
)
@click.pass_obj
def serve(reach: Reach, setup_listen: str, setup_from: tuple[str, ...]) -> None:
    """Runs the server in the foreground until SIGTERM or SIGINT. Where nothing is set up yet, it answers at the
    console's port with the set-up, and becomes the server when that is done."""
    from whimbrel.core.network import Network
    from whimbrel.core.values import HostPort

    try:
        listen, networks = setup_listen and HostPort(setup_listen), [Network(each) for each in setup_from]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # A program of its own: what the command line has loaded would stay in memory for as long as the server runs.
    sys.stdout.flush()
    words = interpreter.command("whimbrel.app.supervisor", os.fspath(reach.directory.absolute()), listen, *networks)
    os.execve(words[0], words, interpreter.environment())  # noqa: S606


_ANSWERS = click.option(
    "--answers",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="TOML file with all answers; - for standard input. Nothing is asked then.",
)


@click.group(cls=_Nearest, invoke_without_command=True, short_help="Set up a new installation.")
@_ANSWERS
@click.pass_context
def setup(context: click.Context, answers: str | None) -> None:
    """Sets up a new installation below --dir, by questions on the terminal or from a file of answers."""
    if context.invoked_subcommand is not None:
        if answers is not None:
            raise click.UsageError(
                f"--answers belongs behind: whimbrel setup {context.invoked_subcommand} --answers FILE"
            )
        return
    from whimbrel.app.cli.wizard import run_setup

    run_setup(context.obj.directory, answers)


@setup.command(name="check", short_help="Look at the machine, and set nothing up.")
@_ANSWERS
@click.option("--relay", is_flag=True, help="Also connect to the relay host of the answers, and sign in.")
@click.pass_obj
def check(reach: Reach, answers: str | None, relay: bool) -> int:
    """Makes the checks of the set-up: ports, DNS, clock, memory, disk, names, certificate. Nothing is written."""
    from whimbrel.app.cli.wizard import run_check

    return run_check(reach.directory, answers, relay=relay)


@setup.command(name="code", short_help="Show the one-time code again.")
@click.pass_obj
def code(reach: Reach) -> None:
    """Shows where a server that is not set up yet waits for it: address, one-time code and fingerprint."""
    from whimbrel.app.setup.card import read_card

    card = read_card(reach.directory)
    if card is not None:
        click.echo(card.text(reach.directory))
    elif (reach.directory / "mailserver.cfg").is_file():
        raise CallError(Failure.REFUSED, f"{reach.directory} is set up already; there is no code any more")
    else:
        start = f"whimbrel --dir {reach.directory} serve"
        raise CallError(
            Failure.UNAVAILABLE, f"No server waits in {reach.directory} to be set up; start it with `{start}`"
        )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def version(as_json: bool) -> None:
    """Shows the version of this program."""
    from whimbrel.app.cli.show import print_json

    if as_json:
        print_json({"version": __version__, "python": sys.version.split()[0]})
    else:
        click.echo(f"whimbrel {__version__} (Python {sys.version.split()[0]})")


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the completion script of SHELL; for bash: eval "$(whimbrel completion bash)"."""
    from whimbrel.app.cli.completion import script

    click.echo(script(program, shell))


def _drop_output() -> None:
    """What is still held would fail once more at the end of the program."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. The exit status."""
    try:
        status = program.main(args=arguments, prog_name="whimbrel", standalone_mode=False)
    except CallError as error:
        print_error(error.text)
        return error.kind.exit_status
    except click.exceptions.Abort:
        print_error("stopped; nothing was done")
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        print_error(words_of(error))
        return error.exit_code
    except _EnoughRead:
        _drop_output()
        return 0
    except PermissionError as error:
        print_error(f"{error.filename}: {error.strerror}; be root, or the user that the server runs as")
        return 1
    except OSError as error:
        # Writing the output is all that a command does without saying what failed: its disk may be full.
        _drop_output()
        print_error(f"{error.filename or 'writing the output'}: {error.strerror or error}")
        return 1
    except (_Interrupted, KeyboardInterrupt):
        return 130
    return status if isinstance(status, int) else 0
