"""A small made-up corpus and a folder of unlabelled videos, to try the other jobs on."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from emotion_core import cli, storage
from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.progress import progress

if TYPE_CHECKING:
    from examples.demo.corpus import DemoClip
    from examples.demo.wild import WildClip

GENERATOR = 1  # counts changes after which the same settings give other clips


def main(
    out: Annotated[str, typer.Option(help="Local folder; gets corpus/, wild/ and README.txt.")],
    actors: Annotated[
        int, typer.Option(help="How many, up to 24; from 3 on every side of --split elte has one.")
    ] = 10,
    emotions: Annotated[
        list[str] | None, typer.Option(help="Repeatable, or separated by commas; all by default.")
    ] = None,
    repetitions: Annotated[int, typer.Option(help="Clips per actor and emotion, up to 8.")] = 2,
    seconds: Annotated[float, typer.Option(help="Length of a clip, 1 to 60.")] = 2.2,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 0,
    wild: Annotated[int, typer.Option(help="How many unlabelled videos.")] = 8,
    workers: Annotated[int | None, typer.Option(help="Processes; all CPUs by default.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Start over, whatever --out holds.")] = False,
) -> None:
    """Make synthetic clips: public-domain photographs that are warped, with a synthesised voice.

    They carry RAVDESS's names, so "--corpus ravdess=OUT/corpus" takes them. Repeating the command
    makes only what is missing.

    Example: python -m examples.demo --out out/demo
    """
    arguments, clock = dict(locals()), storage.Clock()
    _check(out, seconds, seed, wild)
    words = [word.strip() for entry in emotions or EMOTIONS for word in entry.split(",")]
    # heavy libraries only once the arguments are known to be good
    from examples.demo import build, corpus
    from examples.demo import wild as wild_clips

    folder = Path(storage.absolute(out))
    clips = corpus.plan(actors, words, repetitions)
    tasks = [
        build.Task(folder / "corpus" / clip.path, partial(corpus.make, clip, seconds, seed))
        for clip in clips
    ]
    unlabelled = wild_clips.plan(wild, seed)
    # the long ones first, so that no worker is left alone with one at the end
    tasks[:0] = [build.Task(folder / "wild" / clip.path, clip.make) for clip in unlabelled]
    settings = {"seed": seed, "seconds": seconds, "generator": GENERATOR}
    with storage.hold_output(
        str(folder), "a demo corpus", settings, overwrite, say=cli.say
    ) as claim:
        (folder / "README.txt").write_text(corpus.readme(), encoding="utf-8")

        todo = build.missing(tasks)
        with progress(cli.console, "make clips", len(todo)) as advance:
            for path in build.build(todo, workers):
                claim.check()
                advance(1, path.name)
        claim.check()
        storage.write_run_record(
            str(folder),
            storage.RunRecord(
                job="demo",
                arguments=arguments,
                counts={"inputs": len(tasks), "ok": len(tasks), "degraded": 0, "failed": 0},
                seconds=clock.seconds,
                started=clock.started,
                files=["README.txt", "corpus/", "wild/"],
                extra={
                    "made": len(todo),
                    "settings": settings,
                    "played": {video.path: video.played for video in unlabelled},
                },
            ),
        )
    _summary(folder, clips, unlabelled)
    cli.console.print(f"{len(todo)} of {len(tasks)} files made, {clock.seconds:.1f} s")


def _check(out: str, seconds: float, seed: int, wild: int) -> None:
    if "://" in out:
        raise UsageError(f"--out {out}: the demo is written to a local folder")
    if not 1 <= seconds <= 60:
        raise UsageError(f"--seconds {seconds:g}: choose 1 to 60")
    if seed < 0 or wild < 0:
        raise UsageError("--seed and --wild take numbers from 0 on")


def _summary(folder: Path, clips: "Sequence[DemoClip]", unlabelled: "Sequence[WildClip]") -> None:
    """What lies where now: clips per emotion, and the unlabelled videos."""
    table = Table(title=f"Demo in {folder}", title_justify="left")
    for heading in ("emotion", "clips", "actors"):
        table.add_column(heading, justify="left" if heading == "emotion" else "right")
    counts = Counter(clip.emotion for clip in clips)
    for emotion in EMOTIONS:
        if counts[emotion]:
            people = {clip.actor for clip in clips if clip.emotion == emotion}
            table.add_row(emotion, str(counts[emotion]), str(len(people)))
    everybody = len({clip.actor for clip in clips})
    table.add_row("all", str(len(clips)), str(everybody), style="bold")
    cli.console.print(table)
    if unlabelled:
        table = Table(title="Unlabelled, in wild/", title_justify="left")
        for heading in ("file", "what"):
            table.add_column(heading)
        for video in unlabelled:
            table.add_row(video.path, video.what)
        cli.console.print(table)


if __name__ == "__main__":
    cli.run(main)
