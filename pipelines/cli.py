"""The `auxloom` command: what stands before a command, and the commands in the order of its help."""

import sys
from typing import Annotated

import typer

from labelers.stores.faults import explained
from pipelines.commands import (
    build_command,
    compare_command,
    evaluate_command,
    export_command,
    inspect_command,
    join_command,
    label_command,
    labelers_command,
    merge_command,
    predict_command,
    profile_command,
    recipe_command,
    relate_command,
    run_command,
    show_command,
    train_command,
    verify_command,
)
from pipelines.display.terminal import fail
from pipelines.extras import with_cure

__all__ = ["app", "main"]

_COMMANDS = (
    inspect_command,
    build_command,
    train_command,
    run_command,
    compare_command,
    evaluate_command,
    predict_command,
    export_command,
    label_command,
    join_command,
    merge_command,
    relate_command,
    show_command,
    verify_command,
    labelers_command,
    profile_command,
    recipe_command,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turn plain text into self-supervised multi-label datasets, and train multi-task models on them.",
)
for _module in _COMMANDS:
    app.command(epilog=f"Example: {_module.EXAMPLE}")(_module.COMMAND)


def main() -> None:
    """Run the command; a mistake of the user is one or two lines on standard error and exit code 2.

    With ``--json`` it is an object on standard output, ``{"error": ...}``, with the same exit code.
    """
    try:
        # typer prints what it finds wrong with an option, unless it is told to leave that to us
        code = app(standalone_mode="--json" not in sys.argv[1:])
        sys.exit(code if isinstance(code, int) else 0)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        fail(with_cure(error) if isinstance(error, ModuleNotFoundError) else explained(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # as click's errors have, of which typer may carry its own
            raise
        fail(error.format_message())


def _print_version(asked: bool) -> None:
    """Print the version and end the program."""
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"auxloom {version('auxloom')}\n")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


if __name__ == "__main__":
    main()
