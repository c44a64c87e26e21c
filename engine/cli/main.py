"""`engine`: commands are imported when they are called, so that help and validation start fast."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from engine.cli.console.output import coloured, guard_output, say, say_lines, stop_writing, tell_lost
from engine.session.exit_code import FAILED, FAULT, INTERRUPTED, OK
from engine.version import __version__

# command: where it is, and what it does
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("engine.cli.commands.init", "Make a new bundle that validates, runs and tests."),
    "validate": ("engine.cli.commands.validate", "Check a bundle and show every diagnostic."),
    "test": ("engine.cli.commands.test", "Run a bundle's fixtures."),
    "deploy": ("engine.cli.commands.deploy", "Put a bundle into a store, by its digest."),
    "run": ("engine.cli.commands.run", "Run a session, or one for each line of a file."),
    "propose": ("engine.cli.commands.propose", "Propose the next step of a session that waits for its client."),
    "send": ("engine.cli.commands.send", "Send a session a further message."),
    "confirm": ("engine.cli.commands.confirm", "Answer a session's question to the customer."),
    "resume": ("engine.cli.commands.resume", "Drive a session on."),
    "cancel": ("engine.cli.commands.cancel", "End a session."),
    "sessions": ("engine.cli.commands.sessions", "List, show and verify sessions."),
    "review": ("engine.cli.commands.review", "The inbox: what people are asked, and their answers."),
    "worker": ("engine.cli.commands.worker", "Run jobs, and wake the sessions that something is due for."),
    "serve": ("engine.cli.commands.serve", "Serve the HTTP API, with workers."),
    "tokens": ("engine.cli.commands.tokens", "Make, list and revoke the tokens of the HTTP API."),
    "store": ("engine.cli.commands.store", "Look at a store as a whole, or move it into another database."),
    "vacuum": ("engine.cli.commands.vacuum", "Give the room back that erased sessions leave in a store's file."),
    "backup": ("engine.cli.commands.backup", "Copy a store while it is in use, and verify the copy."),
    "restore": ("engine.cli.commands.restore", "Put a copy of a store back, stopped until it is released."),
    "doctor": ("engine.cli.commands.doctor", "Look at what a service rests on, and say what is not well."),
    "login": ("engine.cli.commands.login", "Keep a token, so that who acts from here is known."),
    "config": ("engine.cli.commands.config", "Look at what a service runs with."),
    "jobs": ("engine.cli.commands.jobs", "List jobs, show one, try a dead one again, or give one up."),
    "replay": ("engine.cli.commands.replay", "Run past sessions through the core again."),
    "whatif": ("engine.cli.commands.whatif", "Judge past sessions again under another bundle."),
    "diff": ("engine.cli.commands.diff", "Compare what two bundles mean."),
    "promote": ("engine.cli.commands.promote", "Gather what is known of a change of a bundle, as one report."),
    "shadow": ("engine.cli.commands.shadow", "Tell what the bundle in the shadow would have decided."),
    "prove": ("engine.cli.commands.prove", "Prove each guarantee, or show a call that breaks it."),
    "explain": ("engine.cli.commands.explain", "Show why calls of a session were judged as they were."),
    "judge": ("engine.cli.commands.judge", "Judge given calls after given histories; nothing runs."),
    "chaos": (
        "engine.cli.commands.chaos",
        "Kill a fixture's process at every moment; show what held.",
    ),
    "keys": ("engine.cli.commands.keys", "Destroy the key of a person, or wrap all of them anew."),
    "planners": ("engine.cli.commands.planners", "Ask models whether they can do what their planners need."),
    "tools": ("engine.cli.commands.tools", "Take tools of servers into a bundle, and compare them."),
    "schema": ("engine.cli.commands.schema", "Print the JSON Schemas of documents and contracts."),
    "completion": ("engine.cli.commands.completion", "Print a shell's completion script."),
}


# those that can be asked of a service, and where they are then
REMOTE: dict[str, str] = {
    "run": "engine.cli.remote.act:run",
    "send": "engine.cli.remote.act:send",
    "confirm": "engine.cli.remote.act:confirm",
    "cancel": "engine.cli.remote.act:cancel",
    "sessions": "engine.cli.remote.sessions:command",
    "review": "engine.cli.remote.review:command",
    "jobs": "engine.cli.remote.jobs:command",
    "deploy": "engine.cli.remote.deploy:command",
    "login": "engine.cli.remote.login:command",
    "shadow": "engine.cli.remote.shadow:command",
}


class Commands(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of a bundle's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0], "command"
        if ctx.params.get("server") == "":
            ctx.fail("--server is empty: name the address of a service, or leave it out")
        if ctx.params.get("server"):
            module, _, name = _remote(ctx, cmd_name)
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; an unknown one is a usage error that names the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from engine.diagnostic import did_you_mean

            ctx.fail(f"there is no command `{args[0]}`; {did_you_mean(args[0], COMMANDS) or 'see engine --help'}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _remote(ctx: click.Context, name: str) -> tuple[str, str, str]:
    """Where a command is that a service is asked; one that works here works here, where no service is meant for it."""
    if name in REMOTE:
        return REMOTE[name].partition(":")
    from click.core import ParameterSource

    if ctx.get_parameter_source("server") is ParameterSource.COMMANDLINE:
        ctx.fail(f"`{name}` works here, and is asked of no service: leave --server out; with it: {', '.join(REMOTE)}")
    return COMMANDS[name][0], ":", "command"


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: engine init my-agent && engine test my-agent",
)
@click.option(
    "--server", metavar="URL", envvar="ENGINE_SERVER", help="Ask a service, in the place of a store; $ENGINE_SERVER."
)
@click.version_option(__version__, prog_name="engine", message="%(prog)s %(version)s")
def cli(server: str | None) -> None:
    """Steadyhand, a declarative agent engine: the model proposes, the runtime decides, the tools act.

    BUNDLE is a directory with specs/, policies/, prompts/ and fixtures/: the current one where a command works without
    its name.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; what nobody foresaw exits 5 with its traceback."""
    # most commands are over before there is anything to collect
    gc.set_threshold(50_000, 20, 50)
    guard_output()
    try:
        given = list(arguments) if arguments is not None else None
        colour = coloured(sys.stdout) or coloured(sys.stderr)
        code = cli.main(args=given, prog_name="engine", standalone_mode=False, color=None if colour else False)
        _leave(code)
    except SystemExit as error:
        _leave(error.code)
    except click.ClickException as error:
        _tell(error)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # who reads our output has read enough
        stop_writing()
        sys.exit(FAILED)
    except OSError as error:
        _tell_system(error)
        sys.exit(FAILED)
    except Exception:
        import traceback

        traceback.print_exc()
        print(f"\nThis is a fault of Steadyhand {__version__} itself; please report it.", file=sys.stderr)
        sys.exit(FAULT)


# what newer versions of click say of a group without a command
_NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())


def _leave(code: object) -> NoReturn:
    """Exit; a command that was all right is not where its output was lost."""
    lost = tell_lost()
    code = OK if code is None else code
    sys.exit(FAILED if lost and code == OK else code if isinstance(code, int) else OK)


def _tell_system(error: OSError) -> None:
    """What the machine refuses: a place that is not there, a disk that is full."""
    try:
        os.getcwd()
    except OSError:
        say("engine: the current directory is gone: change to one that is there", err=True)
        return
    where = f"{error.filename}: " if error.filename is not None else ""
    say(f"engine: {where}{(error.strerror or str(error)).lower()}", err=True)


def _tell(error: click.ClickException) -> None:
    """Why a command can't be run as it was written, and how it is."""
    if isinstance(error, _NO_ARGUMENTS):
        say_lines(error.format_message(), err=True)
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        say_lines(error.ctx.get_usage(), err=True)
        say_lines(f"Try '{error.ctx.command_path} {error.ctx.help_option_names[0]}' for help.\n", err=True)
    say(f"Error: {error.format_message()}", err=True)


if __name__ == "__main__":
    main()
