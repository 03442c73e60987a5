"""Videos -> who felt what when, in Parquet: one row in videos/ for every input."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated

import pyarrow.compute as pc
import typer

from emotion_core import cli, storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.corpora.inputs import Wanted, collect
from emotion_core.errors import UsageError
from emotion_core.faces.likeness import ALIKE
from emotion_core.labelling.limits import VIDEO_TIMEOUT_S, Limits
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.windows import Windowing
from emotion_core.recipes.options import encoder_place
from emotion_core.report.progress import progress
from emotion_core.report.summary import count_statuses, show_counts, show_reasons


def main(
    videos: Annotated[
        list[str],
        typer.Option(
            help="Videos, sound, pictures: a file, folder, pattern ('data/**/*.mp4'), s3:// URI, "
            "a list of them (.txt, .csv, .parquet) or - (a list on standard input). Repeatable."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the labels, local or s3://.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="voice or face, which come with the package, or what jobs/train.py wrote to --out."
            " Several answer together, each about what it can judge; by default voice and face. "
            "Other people's: onnx:FILE.onnx, with FILE.json beside it, and hf:NAME_OR_FOLDER."
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only files whose name (with / in it: end of path) is like this."),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="None that are like this.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N inputs.", min=1)] = None,
    window: Annotated[float, typer.Option(help="Seconds that one answer is about.")] = 4.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 2.0,
    fps: Annotated[
        float | None,
        typer.Option(help="Pictures a second to search for faces; by default what --model needs."),
    ] = None,
    min_face: Annotated[
        int | None,
        typer.Option(
            help="Smallest face, pixels of the picture scaled to 640; by default the model's."
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Search every picture for faces as a whole, which takes about twice as long; "
            "else one a second and the first of each shot, and in between around known faces.",
        ),
    ] = False,
    speakers: Annotated[
        bool,
        typer.Option(
            "--speakers",
            help="Where several people are in view, give the voice to the one whose mouth goes "
            "with it, where that is clear; takes three to four times as long.",
        ),
    ] = False,
    any_sound: Annotated[
        bool,
        typer.Option(
            "--any-sound",
            help="Ask about every sound that is not silent, also where nobody speaks: for voices "
            "that are not found to be speech.",
        ),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            help="An answer with a smaller probability is marked unsure; it stays in the table.",
            min=0,
            max=1,
        ),
    ] = 0.0,
    detector: Annotated[
        str | None,
        typer.Option(
            help="Where the model's face detector lies, when it is not the embedded one: "
            "insightface:MODEL.onnx or insightface:PACK."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Where the model's speech encoder lies, when it is not where the model says: a "
            "folder, or a name on the Hugging Face hub."
        ),
    ] = None,
    identify: Annotated[
        str | None,
        typer.Option(
            help="A face-embedding network, FILE.onnx or a folder that holds one: people who come "
            "back in a video keep their number, and jobs/people.py knows them in other videos. It "
            "runs here; off by default."
        ),
    ] = None,
    identify_threshold: Annotated[
        float, typer.Option(help="Cosine from which on two faces are one person's.")
    ] = ALIKE,
    video_timeout: Annotated[
        float,
        typer.Option(
            help="Seconds that one video may take; what was done until then is kept. inf: no limit."
        ),
    ] = VIDEO_TIMEOUT_S,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and how long it takes.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try failed and unfinished inputs again.")
    ] = False,
    max_failed: Annotated[
        float,
        typer.Option(help="Exit with 3 when a larger share of the inputs failed.", min=0, max=1),
    ] = 0.05,
    stall_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds without a finished input after which the job ends with exit code 1, to "
            "go on when repeated; by default it only says what it waits for."
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop rows of inputs that are not among these any more.")
    ] = False,
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code", help="Run a model's own network, which is code of whoever made it."
        ),
    ] = False,
    no_faces: Annotated[
        bool, typer.Option("--no-faces", help="No pictures of faces in the report.")
    ] = False,
    compact_to: Annotated[
        str | None,
        typer.Option(help="A new folder for a copy in few large files; unfinished, remove it."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Start over, whatever --out holds.")] = False,
) -> int:
    """Label any collection of videos with the emotions seen and heard in them.

    OUT/segments has a row for each window and person, OUT/videos exactly one for each input: what
    could not be labelled is there with the reason. Both grow while the job runs. Repeating the
    command goes on where it stopped: new files are added, changed ones done again.

    Example: python jobs/label.py --videos s3://bucket/clips --out out/labels
    """
    arguments, clock = dict(locals()), storage.Clock()
    out = storage.absolute(out)
    from emotion_core.engine.patience import Patience
    from emotion_core.labelling.compact import compact, refuse_used
    from emotion_core.labelling.erasing.record import erased
    from emotion_core.labelling.how import Labelling
    from emotion_core.labelling.identity import Identify
    from emotion_core.labelling.job import label
    from emotion_core.labelling.report.cards import cards
    from emotion_core.labelling.report.summary import Facts
    from emotion_core.labelling.report.write import FILES, ReportOptions, write_report
    from emotion_core.labelling.step import LabelOptions
    from emotion_core.models.shipped import NAMES, model_uri

    how = Labelling(
        tuple(model_uri(each) for each in model or NAMES),
        LabelOptions(Windowing(window, hop), fps, min_face, exact, any_sound, speakers),
        detector,
        Limits(video_s=video_timeout),
        min_confidence,
        trust_code,
        None if encoder is None else encoder_place(encoder),
        None if identify is None else Identify(os.path.abspath(identify), identify_threshold),
    )
    how.check()
    patience = Patience(most_s=stall_timeout)
    patience.check()
    compact_to = None if compact_to is None else storage.absolute(compact_to)
    if compact_to is not None:
        refuse_used(compact_to, out)
    found = collect(videos, Wanted(tuple(include or ()), tuple(exclude or ()), limit))
    if dry_run:
        from emotion_core.labelling.dry_run import forecast
        from emotion_core.labelling.report.forecast import show_forecast

        if not overwrite:
            storage.check_output(out, "labels", how.settings())
        manifest = manifest_table(_not_erased(found.clips, erased(out), out))
        told = forecast(manifest, how, out, overwrite, retry_failed, prune)
        show_forecast(cli.console, out, told)
        return 0
    settings = how.settings()
    with storage.hold_output(out, "labels", settings, overwrite, say=cli.say) as claim:
        marks = erased(out)
        manifest = manifest_table(_not_erased(found.clips, marks, out))
        videos = arguments["videos"] = _still_named(videos, marks)
        show = partial(_progress, len(manifest))
        rows, done = label(manifest, how, out, show, retry_failed, prune, claim.check, patience)
        tables, counts = how.tables(out), count_statuses(rows)
        foreign = [each.facts() for each in how.foreign]
        models = tuple(cards(settings["models"], how.models, foreign))
        facts = Facts(tuple(videos), out, settings, len(found.others), clock.started, models)
        shown = ReportOptions(faces=not no_faces)
        with storage.reading_back():
            write_report(out, tables, rows, facts, shown, claim.check, cli.say)
        claim.check()
        storage.write_run_record(
            out,
            storage.RunRecord(
                job="label",
                arguments=arguments,
                counts=counts,
                seconds=clock.seconds,
                started=clock.started,
                files=["manifest.parquet", *tables.published.files(), *FILES],
                extra={
                    "schema_version": LABELS_SCHEMA_VERSION,
                    "labelled": done,
                    "not_media": len(found.others),
                    "settings": settings,
                    "terms": how.terms(),
                    **({"foreign": foreign} if foreign else {}),
                },
            ),
        )
        if compact_to is not None:  # of labels that are finished, whatever becomes of it
            compact(tables, compact_to)
    if found.others:
        cli.say(f"{len(found.others)} files are not media, such as {found.others[0]}")
    show_counts(cli.console, f"Labels in {out}", rows)
    show_reasons(cli.console, rows.filter(pc.field("status") != "ok"))
    cli.console.print(f"{done} of {len(rows)} inputs labelled, {clock.seconds:.1f} s")
    for name, terms in how.terms().items():
        cli.say(f"model {name}: {terms}")
    cli.say(f"to look at: {storage.join(out, 'report.html')}")
    return cli.EXIT_FAILED_ROWS if counts["failed"] > max_failed * counts["inputs"] else 0


def _still_named(videos: list[str], marks: frozenset[str]) -> list[str]:
    """What the record and the report may say of the inputs: nothing of what was erased."""
    from emotion_core.labelling.erasing.record import mark_of

    return [each for each in videos if not marks or mark_of(storage.absolute(each)) not in marks]


def _not_erased(clips: list[Clip], marks: frozenset[str], out: str) -> list[Clip]:
    from emotion_core.labelling.erasing.record import ERASED, mark_of

    left = [clip for clip in clips if mark_of(clip.uri) not in marks]
    if len(left) < len(clips):
        place = storage.join(out, ERASED)
        cli.say(f"{len(clips) - len(left)} inputs were erased and are left out ({place})")
        if not left:
            raise UsageError(f"all inputs were erased: {place} says so")
    return left


def _progress(inputs: int, pending: int) -> AbstractContextManager[Callable[[int, str], None]]:
    cli.console.print(f"{pending} of {inputs} inputs to label")
    return progress(cli.console, "label", pending)
