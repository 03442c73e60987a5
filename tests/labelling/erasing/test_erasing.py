"""What is erased is in no file below the labels and the features, and does not come back."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import Segment
from emotion_core.errors import UsageError
from emotion_core.labelling.command import _not_erased
from emotion_core.labelling.erasing.record import erased
from emotion_core.labelling.report.finished import open_finished
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.tables import LabelTables
from emotion_core.storage.parts import read_parts
from tests.labelling.people.test_people import ANNA, BEN, CARO, LABELS, people, video
from tests.support.jobs import Done, run_here
from tests.support.labelling import untrained
from tests.support.people import colour_network
from tests.support.synthetic_features import row, write_features

ONE, TWO, THREE = "/a/secret one.mp4", "/a/two.mp4", "/a/three.mp4"


def erase(out: Path, *words: object) -> Done:
    return run_here("erase", "--labels", out, *words)


def everything(folder: Path) -> str:
    """All that stands in the files below a folder, tables unpacked."""
    told = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            told.append(repr(pq.read_table(path).to_pylist()))
        if path.is_file():
            told += [path.name, path.read_bytes().decode("latin-1")]
    return "\n".join(told)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Labels of three videos: Anna is in the first two, Ben in the last two, and a sound in one."""
    out = tmp_path / "labels"
    answer = np.array([0.1, 0.9], np.float32)
    sound = Segment(0.0, 4.0, None, None, None, None, answer, ("audio",), answer)
    two = video(TWO, ANNA, BEN)
    two = two.with_(segments=(*two.segments, sound), notes=("several_people",))
    works = [video(ONE, ANNA), two, video(THREE, BEN, CARO)]
    storage.start_output(str(out), "labels", {"schema_version": 2})
    tables = LabelTables(str(out), LABELS, "model")
    tables.write(works[:2])
    tables.write(works[2:])
    manifest = manifest_table([Clip(work.clip["uri"], 1, "v") for work in works])
    storage.write_parquet(str(out / "manifest.parquet"), manifest)
    (out / "report.html").write_text(f"{ONE} Anna <img src=data:>")
    (out / "report").mkdir()
    (out / "report" / "page.html").write_text(ONE)
    (out / "segments" / ".killed.unfinished").write_text(ONE)
    counts = {"inputs": 3, "ok": 3, "degraded": 0, "failed": 0}
    given = {"videos": ["/a", ONE, f"file://{ONE.replace(' ', '%20')}"]}
    record = storage.RunRecord("label", given, counts, 1.0, "2026-01-02T00:00:00+00:00")
    storage.write_run_record(str(out), record)
    (tmp_path / "p.csv").write_text(f"file,track,name\n{ONE},0,Anna\nthree,0,Ben\n")
    assert people(str(out), "--names", tmp_path / "p.csv").returncode == 0
    return out


@pytest.fixture
def features(tmp_path: Path) -> Path:
    def clip(uri: str, speaker: str | None) -> dict:
        made = Clip(uri, 1, "v", corpus="manifest", speaker=speaker, emotion="sad")
        return row(made, faces=[b"crop of " + uri.encode()])

    rows = [clip(ONE, "x"), clip(TWO, "y"), clip("/b/studio.mp4", "Anna"), clip("/b/d.mp4", "z")]
    return Path(write_features(tmp_path / "features", rows))


def test_a_video_is_in_no_file_any_more(out: Path, features: Path) -> None:
    before = everything(out)
    assert "secret one" in before and "secret one" in everything(features)
    words = ("--video", ONE, "--features", features)
    done = erase(out, *words, "--dry-run")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "rows that would go: 1 of videos, 1 of segments, 1 of people, 1 of manifest" in told
    assert everything(out) == before, "nothing is written"

    done = erase(out, *words)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "rows erased: 1 of features" in told and "the report is removed" in told
    assert "secret one" not in everything(out) + everything(features)
    left = read_parts(str(out / "videos"))
    assert left is not None and sorted(left["uri"].to_pylist()) == [THREE, TWO]
    record = storage.read_json(str(out / "run.json"))
    assert record["counts"] == {"inputs": 2, "ok": 2, "degraded": 0, "failed": 0}
    assert record["arguments"]["videos"] == ["/a"]
    assert not (out / "report").exists() and not (out / "report.html").exists()
    assert erase(out, "--video", ONE).returncode == 0, "a killed one may be repeated"


def test_labels_of_which_all_was_erased_say_so(out: Path) -> None:
    done = erase(out, "--video", ONE, "--video", TWO, "--video", THREE)
    assert done.returncode == 0, done.stderr
    settings = {"schema_version": LABELS_SCHEMA_VERSION, "min_confidence": 0.0, "model_id": "model"}
    storage.write_json(str(out / "settings.json"), {"kind": "labels", "settings": settings})
    with pytest.raises(UsageError, match="all that it held was erased"):
        open_finished(str(out))


def test_it_does_not_come_back(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = LabelTables(str(out), LABELS, "model")
    archive = [Clip(uri, 1, "v") for uri in (ONE, TWO, THREE)]
    assert len(_not_erased(archive, erased(str(out)), str(out))) == 3
    erase(out, "--video", ONE)
    again = [*archive[1:], Clip(ONE, 2, "touched since")]
    left = manifest_table(_not_erased(again, erased(str(out)), str(out)))
    assert "1 inputs were erased and are left out" in " ".join(capsys.readouterr().out.split())

    def work(todo: object, changed: object) -> None:
        raise AssertionError("there is nothing to label")

    assert tables.published.fill(left, work) == 0
    # nor does it when the labels are made from nothing
    storage.start_output(str(out), "labels", {"other": 1}, overwrite=True)
    assert [clip.uri for clip in _not_erased(again, erased(str(out)), str(out))] == [TWO, THREE]
    assert json.loads((out / "erased.json").read_text())["erased"] != []


def test_a_person_goes_and_the_others_stay(out: Path, features: Path) -> None:
    done = erase(out, "--person", "Anna", "--features", features)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "rows erased: 2 of segments, 2 of videos, 2 of people" in told
    assert "Anna" not in everything(out)
    segments, videos = (read_parts(str(out / name)) for name in ("segments", "videos"))
    assert segments is not None and videos is not None
    left = Counter(zip(segments["uri"].to_pylist(), segments["track_id"].to_pylist(), strict=True))
    assert left == Counter({(TWO, 1): 1, (TWO, None): 1, (THREE, 0): 1, (THREE, 1): 1})
    rows = {row["uri"]: row for row in videos.to_pylist()}
    one, two, three = rows[ONE], rows[TWO], rows[THREE]
    assert (one["n_segments"], one["n_tracks"], one["tracks"], one["emotion"]) == (0, 0, [], None)
    assert (one["labelled_s"], one["share_happy"], one["notes"]) == (0.0, None, ["erased"])
    assert (two["n_segments"], two["n_tracks"], two["notes"]) == (2, 1, ["erased"])
    assert two["labelled_s"] == pytest.approx(7.5)
    assert two["share_happy"] == pytest.approx(3.5 / 7.5) and two["emotion"] == "sad"
    assert [track["track_id"] for track in two["tracks"]] == [1]
    assert three["notes"] == [] and three["n_tracks"] == 2
    # a crop does not say whose it is: of her videos all go, and what she speaks
    rest = read_parts(str(features / "features"))
    assert rest is not None and rest["uri"].to_pylist() == ["/b/d.mp4"]
    # the tables agree with each other, so that a label job has nothing to repair
    manifest = storage.read_parquet([str(out / "manifest.parquet")])
    published = LabelTables(str(out), LABELS, "model").published
    assert published.fill(manifest, lambda todo, changed: pytest.fail("labelled again")) == 0


def test_the_same_command_again_finds_features_of_which_nothing_is_left(
    out: Path, tmp_path: Path
) -> None:
    """As after a kill before the labels' turn came."""
    clip = Clip(ONE, 1, "v", corpus="m", speaker="s", emotion="sad")
    place = write_features(tmp_path / "others", [row(clip)])
    words = ("--video", ONE, "--features", place)
    for told in ("rows erased: 1 of features", "rows erased: none"):
        done = erase(out, *words)
        assert done.returncode == 0, done.stderr
        assert told in " ".join(done.stdout.split())
    assert read_parts(f"{place}/features") is None


def test_a_number_is_nobody_s_name(out: Path, tmp_path: Path) -> None:
    """In a corpus a number is somebody else; and who has a name there is known by that."""
    speakers = {"/c/a.mp4": "0", "/c/b.mp4": "Anna", "/c/c.mp4": "z"}
    clips = [Clip(u, 1, "v", corpus="m", speaker=s, emotion="sad") for u, s in speakers.items()]
    place = write_features(tmp_path / "others", [row(clip) for clip in clips])
    rows = storage.read_parquet([str(out / "people" / "people.parquet")])
    assert {"0"} == {str(r["person_id"]) for r in rows.to_pylist() if r["name"] == "Anna"}
    done = erase(out, "--person", "0", "--features", place)
    assert done.returncode == 0, done.stderr
    rest = read_parts(f"{place}/features")
    assert rest is not None and sorted(rest["speaker"].to_pylist()) == ["0", "z"]


def test_who_may_be_in_videos_that_people_do_not_know(out: Path) -> None:
    tables = LabelTables(str(out), LABELS, "model")
    tables.write([video("/a/four.mp4", ANNA)])
    done = erase(out, "--person", "Anna")
    assert done.returncode == 2 and "1 videos were labelled after people/ was made" in done.stderr
    assert "Anna" in everything(out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing to erase: give --video URI or --person NAME"),
        (("--video", "/a/typo.mp4"), "holds no such input"),
        (("--person", "None"), "--person None: nobody in"),
        (("--person", "Anna", "--features", "nowhere"), "holds no features"),
    ],
)
def test_a_mistyped_name_is_no_success(out: Path, words: tuple, told: str) -> None:
    before = everything(out)
    done = erase(out, *words)
    assert done.returncode == 2 and told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert everything(out) == before and not Path("nowhere").exists()


def test_a_job_that_writes_there_goes_first(out: Path) -> None:
    with storage.sole_writer(str(out), "labels", print):
        done = erase(out, "--video", ONE)
    assert done.returncode == 2 and "secret one" in everything(out)


@pytest.mark.slow
def test_through_the_jobs(demo: Path, ray_one: None, tmp_path: Path) -> None:
    """Labels with people, somebody erased, and the same command again."""
    network = colour_network(tmp_path / "colours.onnx")
    out, inputs = tmp_path / "labels", [demo / "wild" / "two at the table.mkv",
                                        demo / "wild" / "holiday clip #2.mp4"]  # fmt: skip
    words = ("--videos", inputs[0], "--videos", inputs[1], "--model",
             untrained(tmp_path / "model"), "--identify", network, "--out", out)  # fmt: skip
    done = run_here("label", *words)
    assert done.returncode == 0, done.stderr
    videos = read_parts(str(out / "videos"))
    assert videos is not None
    tracks = {Path(r["uri"]).name: r["tracks"] for r in videos.to_pylist()}
    assert len(tracks["two at the table.mkv"]) == 2
    assert all(len(t["embedding"]) == 3 for mine in tracks.values() for t in mine)
    assert people(str(out)).returncode == 0
    assert erase(out, "--video", inputs[0]).returncode == 0
    done = run_here("label", *words)
    assert done.returncode == 0 and "1 inputs were erased" in " ".join(done.stdout.split())
    assert "two at the table" not in everything(out), "though the command names it"
    left = read_parts(str(out / "videos"))
    assert left is not None and len(left) == 1 and (out / "report.html").exists()
