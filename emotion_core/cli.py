"""What every job's command line shares: one clear line for wrong usage, and the exit codes."""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import typer
from rich.console import Console

from emotion_core.errors import StorageError, UsageError
from emotion_core.text import holds_secret, printable, redacted, without_secret

# 0 done; 1 the job itself broke; 2 wrong usage; 3 done, but more failed than allowed
EXIT_BROKEN = 1
EXIT_USAGE = 2
EXIT_FAILED_ROWS = 3

# a name may hold :label:, which is no picture of a label
console = Console(emoji=False)


def say(words: str) -> None:
    """One line on standard output, as it is, however narrow the terminal.

    It may hold names and messages of strangers: no markup, nothing that drives a terminal.
    """
    console.print(printable(redacted(words)), soft_wrap=True, markup=False)


def run(
    command: Callable[..., int | None],
    program: str | None = None,
    arguments: Sequence[str] | None = None,
) -> NoReturn:
    """Run ``command`` as a program: its parameters are the options, its result the exit code.

    Args:
        command: its parameters, with typer's annotations, are the options.
        program: what ``--help`` calls it; None: as the file that runs.
        arguments: the words after its name; None: the process's.
    """
    app = new_app()
    app.command()(command)
    run_app(app, program, arguments)


def new_app() -> typer.Typer:
    """A program without commands yet, whose mistakes ``run_app`` shows."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run_app(
    app: typer.Typer, program: str | None = None, arguments: Sequence[str] | None = None
) -> NoReturn:
    """Run a program and end the process with its exit code.

    A ``UsageError`` and every mistake on the command line end in one line on standard error and
    exit code 2; an output that can no longer be written ends in one line and exit code 1. Anything
    else that is raised is a fault of the job: traceback and exit code 1. An address with a password
    or a signature is wrong usage, whatever option it was given to.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _refuse_secrets(words)
        sys.exit(app(words, prog_name=program, standalone_mode=False) or 0)
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
    except Exception:  # libraries put addresses into their messages, signed ones too
        for line in redacted(traceback.format_exc()).splitlines():
            print(printable(line), file=sys.stderr)
        sys.exit(EXIT_BROKEN)


def _refuse_secrets(words: Sequence[str]) -> None:
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if holds_secret(value):
            raise UsageError(without_secret(value, option))


def _fail(message: str, code: int = EXIT_USAGE) -> NoReturn:
    print("error: " + printable(" ".join(redacted(message).split())), file=sys.stderr)
    sys.exit(code)
