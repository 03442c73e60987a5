"""What every job's command line shares: one clear line for wrong usage, and the exit codes."""

import sys
from collections.abc import Callable
from typing import NoReturn

import typer
from rich.console import Console

from emotion_core.errors import StorageError, UsageError

# 0 done; 1 the job itself broke; 2 wrong usage; 3 done, but more failed than allowed
EXIT_BROKEN = 1
EXIT_USAGE = 2
EXIT_FAILED_ROWS = 3

console = Console()


def say(words: str) -> None:
    """One line on standard output, as it is, however narrow the terminal."""
    console.print(words, soft_wrap=True, markup=False)


def run(command: Callable[..., int | None]) -> NoReturn:
    """Run ``command`` as a program: its parameters are the options, its result the exit code.

    A ``UsageError`` and every mistake on the command line end in one line on standard error and
    exit code 2; an output that can no longer be written ends in one line and exit code 1. Anything
    else that is raised is a fault of the job: traceback and exit code 1.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except UsageError as error:
        _fail(str(error))
    except StorageError as error:
        _fail(
            f"{error}; what was written is kept, the same command goes on from there", EXIT_BROKEN
        )
    except typer.Abort:
        _fail("stopped", EXIT_BROKEN)
    except typer.TyperException as error:
        _fail(f"{error.format_message().rstrip('.')} (--help explains the options)")


def _fail(message: str, code: int = EXIT_USAGE) -> NoReturn:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(code)
