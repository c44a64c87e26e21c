"""`engine completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from engine.cli.console.output import say_lines


@click.command(
    "completion",
    epilog="""\b
Examples:
  engine completion bash >> ~/.bashrc
  engine completion zsh >> ~/.zshrc
  engine completion fish > ~/.config/fish/completions/engine.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    from engine.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    say_lines(found(cli, {}, "engine", "_ENGINE_COMPLETE").source())
