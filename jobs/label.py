"""Videos -> who felt what when, in Parquet: one row in videos/ for every input."""

from functools import partial
from typing import Annotated

import typer

from emotion_core import cli, storage
from emotion_core.collection import collect
from emotion_core.report.progress import progress
from emotion_core.report.summary import count_statuses, show_counts, show_reasons
from emotion_core.stages.windows import Windowing
from emotion_core.tables import manifest_table


def main(
    videos: Annotated[
        list[str],
        typer.Option(help="File, folder or s3://bucket/prefix with videos, sound or pictures."),
    ],
    model: Annotated[str, typer.Option(help="Model bundle: what jobs/train.py wrote to --out.")],
    out: Annotated[str, typer.Option(help="Folder for the labels, local or s3://.")],
    window: Annotated[float, typer.Option(help="Seconds that one answer is about.")] = 4.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 2.0,
    detector: Annotated[
        str | None,
        typer.Option(
            help="Where the model's face detector lies, when it is not the embedded one: "
            "insightface:MODEL.onnx or insightface:PACK."
        ),
    ] = None,
    video_timeout: Annotated[
        float, typer.Option(help="Seconds that decoding one window's worth may take.")
    ] = 120,
    limit: Annotated[int | None, typer.Option(help="Only the first N inputs.")] = None,
    retry_failed: Annotated[bool, typer.Option(help="Try failed inputs again.")] = False,
    max_failed: Annotated[
        float, typer.Option(help="Exit with 3 when a larger share of the inputs failed.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option(help="Start over, whatever --out holds.")] = False,
) -> int:
    """Label any collection of videos with the emotions seen and heard in them.

    OUT/segments has a row for each window and person, OUT/videos exactly one for each input: what
    could not be labelled is there with the reason. Repeating the command goes on where it stopped;
    new files are added, changed files are done again.

    Example: python jobs/label.py --videos s3://bucket/clips --model out/model --out out/labels
    """
    arguments, clock = dict(locals()), storage.Clock()
    from emotion_core.bundle import load_bundle
    from emotion_core.pipeline.label import Labelling, label, segments_of
    from emotion_core.report.labels import labels_picture

    model, out = storage.absolute(model), storage.absolute(out)
    windowing = Windowing(window, hop)
    how = Labelling(model, load_bundle(model), windowing, detector, video_timeout)
    how.check()
    found = collect(videos)
    clips = found.clips[:limit]
    storage.start_output(out, "labels", how.settings(), overwrite)
    rows, done = label(
        manifest_table(clips), how, out, partial(progress, cli.console, "label"), retry_failed
    )
    counts = count_statuses(rows)
    labels_picture(rows, segments_of(out), storage.join(out, "labels.png"))
    storage.write_run_record(
        out,
        storage.RunRecord(
            job="label",
            arguments=arguments,
            counts=counts,
            seconds=clock.seconds,
            started=clock.started,
            files=["manifest.parquet", "segments/", "videos/", "labels.png"],
            extra={"labelled": done, "not_media": len(found.others), "settings": how.settings()},
        ),
    )
    if found.others:
        cli.console.print(f"{len(found.others)} files are not media, such as {found.others[0]}")
    show_counts(cli.console, f"Labels in {out}", rows)
    show_reasons(cli.console, rows)
    cli.console.print(f"{done} of {len(clips)} inputs labelled, {clock.seconds:.1f} s")
    return cli.EXIT_FAILED_ROWS if counts["failed"] > max_failed * counts["inputs"] else 0


if __name__ == "__main__":
    cli.run(main)
