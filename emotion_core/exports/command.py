"""Labels in other formats: --labels LABELS --format csv --out FOLDER."""

from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from emotion_core.exports.labelled import LabelledVideo, Labels
    from emotion_core.media.isolated import IsolatedDecoder

# One file for each video: format -> suffix.
_TIMED = {"vtt": ".vtt", "srt": ".srt", "eaf": ".eaf", "textgrid": ".TextGrid"}


class Format(StrEnum):
    """What can be made."""

    csv = "csv"
    vtt = "vtt"
    srt = "srt"
    eaf = "eaf"
    textgrid = "textgrid"
    labelstudio = "labelstudio"
    video = "video"


def main(
    labels: Annotated[str, typer.Option(help="The --out of jobs/label.py, local or s3://.")],
    out: Annotated[str, typer.Option(help="Folder for the files, local or s3://.")],
    format: Annotated[
        list[Format],
        typer.Option(
            help="csv: two tables for spreadsheets and R. vtt, srt: subtitles. eaf: ELAN. "
            "textgrid: Praat. labelstudio: tasks with predictions. video: what is said, drawn on "
            "the video. Repeat it for several."
        ),
    ],
    delimiter: Annotated[
        str, typer.Option(help="Between cells of csv; ; where Excel writes 1,5 for 1.5.")
    ] = ",",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another export at --out.")
    ] = False,
) -> int:
    """Labels as files that other programs open.

    csv is segments.csv and videos.csv for all videos together, labelstudio one list of tasks; the
    others are a file for each video, in a folder by format. Windows overlap, so each answer counts
    until the next one of its lane begins; neighbours that say the same are one stretch (not in
    csv). Videos that failed have their row in videos.csv and no file of their own; nor has a
    still picture, which lasts no time.

    Example: python jobs/export.py --labels out/labels --format csv --format vtt --out out/export
    """
    arguments = {**locals(), "format": [each.value for each in format]}
    if len(delimiter) != 1 or delimiter in "\"\r\n'":
        raise UsageError(f"--delimiter {delimiter!r}: one character, such as ; or ,")
    out, clock = storage.absolute(out), storage.Clock()
    labels = storage.absolute(labels)
    from emotion_core.exports.labelled import open_labels

    if out.rstrip("/") == labels.rstrip("/"):
        raise UsageError(f"--out {out} holds the labels themselves: choose another folder")
    found = open_labels(labels)
    if not storage.exists(storage.join(labels, "run.json")):
        cli.say(f"{labels} is not finished: what is published so far is exported")
    formats = list(dict.fromkeys(each.value for each in format))
    settings = {"labels": labels, "formats": formats, "delimiter": delimiter}
    # made anew each time: of a video that is gone, or has another name now, nothing shall stay
    anew = storage.check_output(out, "an export", settings, overwrite)
    with storage.hold_output(out, "an export", settings, anew, say=cli.say) as claim:
        counts, files = _write(found, out, formats, delimiter, claim.check)
        claim.check()
        record = storage.RunRecord(
            job="export", arguments=arguments, counts=counts, seconds=clock.seconds,
            started=clock.started, files=files,
        )  # fmt: skip
        storage.write_run_record(out, record)
    cli.say(
        f"{counts['inputs']} videos of {labels}, {counts['failed']} of them without labels, as "
        f"{', '.join(formats)}: {out}"
    )
    return 0


def _write(
    found: "Labels", out: str, formats: list[str], delimiter: str, check: storage.Check
) -> tuple[dict[str, int], list[str]]:
    """All files; how many videos there were by status, and the files as globs."""
    counts = {"inputs": 0, "ok": 0, "degraded": 0, "failed": 0}
    drawn = 0
    with ExitStack() as opened:
        writers, files = _of_all(found, out, formats, delimiter, opened)
        decoder = opened.enter_context(_decoder()) if "video" in formats else None
        for video in found.videos():
            check()
            counts["inputs"] += 1
            counts[video.row["status"]] += 1
            for add in writers:
                add(video)
            _write_timed(video, out, formats)
            drawn += decoder is not None and _draw(video, out, decoder)
    files += [f"{name}/*{_TIMED[name]}" for name in formats if name in _TIMED]
    if "video" in formats:
        cli.say(f"{drawn} videos drawn")
        files.append("video/*.mp4")
    return counts, files


def _of_all(
    found: "Labels", out: str, formats: list[str], delimiter: str, opened: ExitStack
) -> tuple[list[Callable[["LabelledVideo"], None]], list[str]]:
    """What takes each video into the files of all of them, and these files."""
    from emotion_core.exports import labelstudio, spreadsheet

    def open_(name: str) -> BinaryIO:
        files.append(name)
        return opened.enter_context(storage.open_write(storage.join(out, name)))

    files: list[str] = []
    writers: list[Callable[[LabelledVideo], None]] = []
    if "csv" in formats:
        segments, videos = open_(spreadsheet.SEGMENTS_CSV), open_(spreadsheet.VIDEOS_CSV)
        tables = spreadsheet.CsvFiles(segments, videos, found.labels, delimiter, found.dimensions)
        writers.append(tables.add)
    if "labelstudio" in formats:
        interface = labelstudio.interface(found.labels).encode()
        storage.write_bytes(storage.join(out, labelstudio.INTERFACE), interface)
        files.append(labelstudio.INTERFACE)
        tasks = labelstudio.Tasks(open_(labelstudio.TASKS))
        opened.callback(tasks.close)
        writers.append(lambda video: tasks.add(video) if video.lanes else None)
    return writers, files


def _decoder() -> "IsolatedDecoder":
    from emotion_core.exports.drawn import TIMEOUT_S
    from emotion_core.media.isolated import IsolatedDecoder

    return IsolatedDecoder(TIMEOUT_S)


def _draw(video: "LabelledVideo", out: str, decoder: "IsolatedDecoder") -> bool:
    """Draw one video; says why where that cannot be done, and goes on."""
    from emotion_core.errors import ClipError
    from emotion_core.exports import drawn
    from emotion_core.media.suffixes import kind_of

    if not video.lanes or kind_of(video.row["uri"]) not in ("video", None):
        return False
    place = storage.join(out, "video", video.name + drawn.SUFFIX)
    try:
        with storage.open_write(place) as file:
            drawn.draw(video, decoder, file)
    except ClipError as error:
        cli.say(f"not drawn: {video.name}: {error}")
        return False
    return True


def _write_timed(video: "LabelledVideo", out: str, formats: list[str]) -> None:
    if not video.lanes:
        return
    from emotion_core.exports import timed

    make: dict[str, Callable[[], bytes]] = {
        "vtt": lambda: timed.subtitles(video, "vtt"),
        "srt": lambda: timed.subtitles(video, "srt"),
        "eaf": lambda: timed.elan(video),
        "textgrid": lambda: timed.praat(video),
    }
    for name in formats:
        if name in make:
            place = storage.join(out, name, video.name + _TIMED[name])
            storage.write_bytes(place, make[name]())
