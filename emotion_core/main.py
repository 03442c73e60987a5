"""The program ``emotion-core``: the command of each job by its name, imported once it is asked for.

What is submitted to a cluster from a checkout stays ``jobs/NAME.py``; the same commands stand here
for an installed package.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated

import typer

from emotion_core import cli

PROGRAM = "emotion-core"
# Name -> module with its ``main``, and the line of ``--help``. A new job is added here.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "label": ("emotion_core.labelling.command", "Videos -> who felt what when, in Parquet."),
        "report": ("emotion_core.labelling.report.command", "Labels -> pages to look at."),
        "live": ("emotion_core.live.command", "A camera, stream or file, while it plays."),
        "people": ("emotion_core.labelling.people.command", "Who is the same person, by name."),
        "erase": ("emotion_core.labelling.erasing.command", "A video or a person leaves all."),
        "export": ("emotion_core.exports.command", "Labels -> CSV, subtitles, ELAN, Praat ..."),
        "fetch": ("emotion_core.fetching.command", "A published corpus -> your folder or bucket."),
        "preprocess": ("emotion_core.preprocessing.command", "Corpora -> features in Parquet."),
        "train": ("emotion_core.training.command", "Features -> a model of your own."),
        "evaluate": ("emotion_core.evaluation.command", "A model -> its figures."),
    }
)


def main() -> None:
    """Run the command that the first word names, as ``jobs/NAME.py`` would; ends the process."""
    words = sys.argv[1:] or ["--help"]
    if words[0] in COMMANDS:
        module, _ = COMMANDS[words[0]]
        cli.run(import_module(module).main, f"{PROGRAM} {words[0]}", words[1:])
    cli.run_app(_overview(), PROGRAM, words)


def _overview() -> typer.Typer:
    """What ``--help`` shows, and who refuses a name that is none."""
    app = cli.new_app()
    for name, (_, line) in COMMANDS.items():
        app.command(name, help=line)(_nothing)
    app.callback()(_program)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        cli.say(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Say it, and end."),
    ] = False,
) -> None:
    """Emotions of faces and voices in any collection of videos, as batch jobs on Ray.

    Without training:  emotion-core label --videos FOLDER --out LABELS

    A model of your own:  fetch, preprocess, train, evaluate, then label --model

    Each explains itself:  emotion-core NAME --help
    """


def _nothing() -> None:
    """A name in the overview; ``main`` has run the one that was asked for."""
