"""The gallery: what becomes of each odd and broken file, by each job and each decoder.

``label`` decodes with PyAV; ``preprocess`` is tried with ``auto``, ``pyav`` and ``decord``. decord
alone refuses what it was never proven right on, and says so: ``auto`` gives such files to PyAV.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from chaos.counted import Count
from chaos.gallery_files import FILES
from chaos.trials import Faults, Run, Trial
from emotion_core.labelling.step import LabelOptions
from tests.support.both_jobs import both_jobs
from tests.support.containers import VIDEOS
from tests.support.labelling import untrained
from tests.support.small_recipes import small

DECODERS = ("auto", "pyav", "decord")

# How a file fares that is not ``ok``, the same by all decoders unless it is in a table below.
EXPECTED = {
    "zero bytes": "failed empty",
    **dict.fromkeys(
        (
            "one byte", "text with a video's name", "an error page saved as a video",
            "random bytes", "nothing but zeros", "an archive with a video's name", "head cut, MP4",
            "head cut, Matroska", "tail cut, MP4 with its index at the end", "JPEG cut in half",
            "PNG cut in half", "first hundred bytes of MP4", "garbage before an MP4",
            "nothing but a cover",
        ),
        "failed unreadable",
    ),
    **dict.fromkeys(
        (
            "head cut, transport stream", "faststart cut in half", "Matroska cut in half",
            "AVI cut in half", "WAVE cut in half", "MP3 cut in half", "bit flips, MP4",
            "bit flips, Matroska", "bit flips, transport stream",
        ),
        "degraded cut",
    ),
    **dict.fromkeys(
        (
            "no sound", "video with nothing but silence", "animated GIF", "animated PNG",
            "silent.avi", "silent.mxf", "mpeg2.gxf", "animation.gif", "animation.apng",
        ),
        "degraded no_audio",
    ),
    **dict.fromkeys(
        ("nothing but silence", "no samples", "floats that are no numbers"), "failed empty"
    ),
    **dict.fromkeys(("1 x 1", "2 x 2"), "degraded no_face"),
    "1 x 1 still": "failed no_face",
}  # fmt: skip

# Where labelling says something else than ``preprocess``: it may go on with what is there, and
# what was looked at as a whole without finding anybody did not fail.
BY_LABEL = {
    "1 x 1 still": "degraded no_face",
    "floats that are no numbers": "failed cut",
}

_BY_PYAV_ALONE = (
    "head cut, transport stream", "faststart cut in half", "Matroska cut in half",
    "AVI cut in half", "bit flips, transport stream", "a name that is not UTF-8",
    "times that begin at an hour", "live WebM without a length", "RGB", "transparent", "mirrored",
    "1 x 1", "2 x 2", "8K", "AV1", "AV1, WebM", "ProRes", "Cinepak", "HuffYUV", "animated GIF",
    "animated PNG",
)  # fmt: skip
_DECORD_TAKES = (
    "h264.mp4", "h264-index-first.mp4", "h264-fragments.mp4", "h265.mp4", "turned.mov",
    "mpeg4.3gp", "h264.mkv", "vp8.webm", "vp9.webm",
)  # fmt: skip
REFUSED_BY_DECORD = {*_BY_PYAV_ALONE, *VIDEOS} - {*_DECORD_TAKES}


def expected(kind: str, job: str) -> str:
    """``ok``, or status and reasons, of a kind of file by ``label`` or ``preprocess, DECODER``."""
    if job == "preprocess, decord" and kind in REFUSED_BY_DECORD:
        return "failed unreadable"
    if job == "label" and kind in BY_LABEL:
        return BY_LABEL[kind]
    return EXPECTED.get(kind, "ok")


def names(count: int, seed: int) -> Sequence[str]:
    """Kinds of files, so many of them that the seed draws."""
    drawn = np.random.default_rng(seed).permutation(sorted(FILES))
    return [str(name) for name in drawn[:count]]


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """Both jobs' steps with small networks; of labelling one that hears everything."""
    recipe = small("timedist-blstm")
    model = untrained(folder / "model", recipe=recipe)
    hears_all = LabelOptions(any_sound=True)
    with both_jobs(model, recipe, DECODERS, options=hears_all) as jobs:

        def run(name: str) -> Trial:
            count, place = Count(), folder / f"kind-{sorted(FILES).index(name)}"
            place.mkdir(exist_ok=True)
            path = FILES[name](place)
            for job, rows in jobs.rows(path).items():
                count.one(f"{name}, {job}", rows)
                for row in rows:
                    found = " ".join([row["status"], *row["reasons"]])
                    told = f"{name}, {job}: {found} ({row['error']})"
                    count.expect(found == expected(name, job), told)
            path.unlink()
            line = "kinds of odd and broken media, each by `label` and with three decoders"
            return count.trial("gallery", name, line, 1)

        yield run


HAPPENS = (
    "the status and reasons that chaos/gallery.py expects, with `label` and with each "
    "decoder of `preprocess`"
)
GALLERY = Faults(HAPPENS, len(FILES), names, ready)
