"""Dimensions from a window to the tables, the export and the page of a video."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Segment
from emotion_core.exports.command import Format, main
from emotion_core.labelling.erasing import persons
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.identity import renumbered
from emotion_core.labelling.report.overview import Names
from emotion_core.labelling.report.video import video_page
from emotion_core.labelling.tables import (
    TRACKS,
    LabelTables,
    published_dimensions,
    published_labels,
)
from tests.support.foreign import colour_network
from tests.support.labelling import LABELS, work_on

TOLD = ("valence", "arousal")
NAN = np.nan


def segment(start_s: float, track: int | None, *told: float) -> Segment:
    answer = np.full(len(LABELS), 0.05, np.float32)
    answer[1] = 1 - 0.05 * (len(LABELS) - 1)
    return Segment(start_s, start_s + 4, track, None, None, None, answer, ("audio",),
                   dimensions=np.float32(told))  # fmt: skip


def written(out: Path) -> LabelTables:
    rows = manifest_table([Clip("/a/one.mp4", 10, "v"), Clip("/a/two.mp4", 10, "v")]).to_pylist()
    said = (segment(0, 0, 1.0, NAN), segment(3, 0, -0.5, NAN), segment(0, None, NAN, NAN))
    works = [ClipWork(rows[0], segments=said, n_tracks=1, duration_s=7.0), ClipWork(rows[1])]
    tables = LabelTables(str(out), LABELS, "m", dimensions=TOLD)
    tables.write(works)
    return tables


def test_columns_of_both_tables_and_of_the_export(tmp_path: Path) -> None:
    written(tmp_path / "labels")
    assert published_dimensions(str(tmp_path / "labels")) == TOLD
    assert published_labels(str(tmp_path / "labels")) == LABELS
    segments = pq.read_table(tmp_path / "labels" / "segments").sort_by("start_s")
    assert sorted(segments["valence"].to_pylist(), key=str) == [-0.5, 1.0, None]
    assert segments["arousal"].null_count == 3
    videos = pq.read_table(tmp_path / "labels" / "videos").sort_by("uri")
    # the first stands for the three seconds until the second, that for its four
    assert videos["valence"].to_pylist() == [(3 * 1.0 - 4 * 0.5) / 7, None]
    assert videos["arousal"].to_pylist() == [None, None]
    assert main(str(tmp_path / "labels"), str(tmp_path / "out"), [Format.csv]) == 0
    with (tmp_path / "out" / "segments.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["valence"] for row in found] == ["1.0000", "-0.5000", ""]
    assert list(found[0])[-4:] == ["valence", "arousal", "speaking", "place"]
    with (tmp_path / "out" / "videos.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["valence"] for row in csv.DictReader(file)] == ["0.1429", ""]


def test_an_erased_person_has_no_part_in_them_any_more(tmp_path: Path) -> None:
    written(tmp_path / "labels")
    videos, segments = (pq.read_table(tmp_path / "labels" / t) for t in ("videos", "segments"))
    tracks = pa.list_(pa.struct([("track_id", pa.int32())]))
    videos = videos.append_column(TRACKS, pa.nulls(len(videos), tracks))
    ids = {row["uri"]: row["clip_id"] for row in videos.to_pylist()}
    left = segments.filter(pa.array([start == 3 for start in segments["start_s"].to_pylist()]))
    found = persons._videos(videos, left, {ids["/a/one.mp4"]: {1}}).to_pylist()
    told = {row["uri"]: (row["valence"], row["arousal"]) for row in found}
    assert told == {"/a/one.mp4": (-0.5, None), "/a/two.mp4": (None, None)}


def test_the_page_of_a_video_says_their_mean(tmp_path: Path) -> None:
    tables = written(tmp_path)
    found = tables.videos()
    assert found is not None
    row = next(each for each in found.to_pylist() if each["uri"] == "/a/one.mp4")
    ((_, segments),) = tables.by_video([row["clip_id"]])
    page = video_page(row, segments, LABELS, 0.0, (), Names(), {}, {}).decode()
    assert page.count("mean of -1 to 1: valence\N{NO-BREAK SPACE}+0.14<") == 1
    assert "arousal" not in page


def test_two_tracks_that_become_one_have_the_mean_of_what_was_told() -> None:
    (one,) = renumbered((segment(0, 0, 1.0, 0.5), segment(0, 1, 0.0, NAN)), {0: 0, 1: 0})
    assert one.dimensions is not None and one.dimensions.tolist() == [0.5, 0.5]


def test_a_real_clip_beside_our_own_model(tmp_path: Path, corpora: Path) -> None:
    """A model that tells valence alone changes no answer of ``voice``."""
    scale = {"valence": {"column": 0, "range": [0, 1]}}
    only = f"onnx:{colour_network(tmp_path, [], dimensions=scale)}"
    clip = corpora / "clips" / "labelled" / "01-01-07-02-02-01-01.mp4"
    answers = []
    for models in (("voice",), ("voice", only)):
        how = Labelling(models)
        how.check()
        step = how.step()
        (done,) = step([work_on(clip)])
        step.decoder.close()
        assert done.outcome.status == "ok"
        how.tables(str(tmp_path / "-".join(["out", *map(str, range(len(models)))]))).write([done])
        answers.append(done.segments)
    (alone,), (both,) = answers
    np.testing.assert_array_equal(alone.probabilities, both.probabilities)
    assert alone.dimensions is None and both.dimensions is not None
    assert both.modalities == ("audio",) and both.track_id == 0
    assert -1 < float(both.dimensions[0]) < 1
    found = pq.read_table(tmp_path / "out-0-1" / "segments")
    assert found["valence"].to_pylist() == both.dimensions.tolist()
    assert "valence" not in pq.read_table(tmp_path / "out-0" / "segments").column_names
