"""Corpora -> features in Parquet: decode, faces and MFCC of every clip, in parallel."""

from functools import partial
from typing import Annotated

import typer

from emotion_core import cli, storage
from emotion_core.clips.clip import manifest_table
from emotion_core.corpora import Scan, scan_all
from emotion_core.recipes.options import of_features
from emotion_core.report.progress import progress
from emotion_core.report.summary import count_statuses, show_counts, show_reasons


def main(
    corpus: Annotated[
        list[str],
        typer.Option(
            help="NAME=URI, repeatable: ravdess, savee, tess, cremad, fer2013 or folder, and where "
            "it lies (a folder, a zip, s3://bucket/prefix); or manifest=FILE.csv, "
            "labelstudio=FILE.json."
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the features, local or s3://.")],
    recipe: Annotated[
        str, typer.Option(help="Decides which features: a name, file.py or module:NAME.")
    ] = "timedist-blstm",
    option: Annotated[
        list[str] | None,
        typer.Option(help="audio.KEY=VALUE or video.KEY=VALUE of the recipe; repeatable."),
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(help="Which file of an utterance: audio-visual, video or audio."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="speech, song or all, of a corpus that has both (RAVDESS); default: the recipe's, "
            "which is speech unless its authors took songs too."
        ),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="centerface, insightface:MODEL.onnx or insightface:PACK.")
    ] = "centerface",
    decoder: Annotated[
        str,
        typer.Option(
            help="auto (decord where it is proven equal to PyAV, else PyAV), decord, pyav."
        ),
    ] = "auto",
    audio_backend: Annotated[
        str, typer.Option(help="librosa, or torchaudio (batched, on the GPU where there is one).")
    ] = "librosa",
    timeout: Annotated[float, typer.Option(help="Seconds that decoding one clip may take.")] = 120,
    gpus_per_detector: Annotated[
        float, typer.Option(help="The share of a GPU that one face detector takes.")
    ] = 0.4,
    limit: Annotated[int | None, typer.Option(help="Only the first N clips.", min=1)] = None,
    retry_failed: Annotated[bool, typer.Option(help="Try failed clips again.")] = False,
    max_failed: Annotated[
        float,
        typer.Option(help="Exit with 3 when a larger share of the clips failed.", min=0, max=1),
    ] = 0.05,
    stall_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds without a finished clip after which the job ends with exit code 1, to "
            "go on when repeated; by default it only says what it waits for."
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop rows of clips that are not among these any more.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Start over, whatever --out holds.")] = False,
) -> int:
    """Turn labelled corpora into features, one row per clip whatever happens.

    Repeating the command goes on where it stopped, does changed clips again, and does nothing when
    there is nothing to do. Inside a Ray cluster it uses the cluster, elsewhere it starts Ray.

    Example: python jobs/preprocess.py --corpus ravdess=data/ravdess --out out/features
    """
    arguments, clock = dict(locals()), storage.Clock()
    out = storage.absolute(out)
    from emotion_core.engine.patience import Patience
    from emotion_core.preprocessing.job import Preprocessing, chosen_recipe, preprocess

    given = tuple(option or ())
    how = Preprocessing(
        chosen_recipe(recipe, given),
        detector,
        decoder,
        audio_backend,
        timeout,
        gpus_per_detector,
        tuple(of_features(given)),
    )
    how.check()
    patience = Patience(most_s=stall_timeout)
    patience.check()
    channel = channel or how.recipe.channel
    scans = scan_all(corpus, modality, channel)
    _report_scans(scans)
    clips = list({clip.clip_id: clip for scan in scans for clip in scan.clips}.values())[:limit]
    settings = how.settings()
    with storage.hold_output(out, "features", settings, overwrite, say=cli.say) as claim:
        show = partial(progress, cli.console, "preprocess")
        rows, decoded = preprocess(
            manifest_table(clips), how, out, show, retry_failed, prune, claim.check, patience
        )
        counts = count_statuses(rows)
        claim.check()
        storage.write_run_record(
            out,
            storage.RunRecord(
                job="preprocess",
                arguments=arguments,
                counts=counts,
                seconds=clock.seconds,
                started=clock.started,
                files=["manifest.parquet", "features/"],
                extra={"decoded": decoded, "channel": channel, "settings": settings},
            ),
        )
    show_counts(cli.console, f"Features in {out}", rows, by="corpus")
    show_reasons(cli.console, rows)
    cli.console.print(f"{decoded} of {len(clips)} clips decoded, {clock.seconds:.1f} s")
    return cli.EXIT_FAILED_ROWS if counts["failed"] > max_failed * counts["inputs"] else 0


def _report_scans(scans: list[Scan]) -> None:
    for scan in scans:
        if scan.duplicates:
            cli.console.print(f"{scan.duplicates} files hold an utterance taken from another file")
        for what, count in scan.left_out.items():
            cli.say(f"{count} {what} are left out")
        if scan.unparsed:
            cli.say(
                f"{len(scan.unparsed)} names do not parse and are left out, "
                f"for example {scan.unparsed[0]}"
            )
