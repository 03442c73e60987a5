"""People across videos: the same in each, named once, and shown by their names."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Segment
from emotion_core.errors import UsageError
from emotion_core.exports.labelled import open_labels
from emotion_core.labelling.people import tracks
from emotion_core.labelling.people.table import FILE, names, read_people
from emotion_core.labelling.tables import LabelTables
from emotion_core.storage.parts import read_parts
from tests.support.jobs import Done, run_here

LABELS = ("happy", "sad")
ANNA, BEN, CARO = np.eye(3, dtype=np.float32)


def near(look: np.ndarray, other: np.ndarray, share: float = 0.3) -> np.ndarray:
    mixed = look + share * other
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def video(uri: str, *looks: np.ndarray | None) -> ClipWork:
    """A video of people who look so, each with one segment, the later ones shorter."""
    (row,) = manifest_table([Clip(uri, 1, "v")]).to_pylist()
    answer = np.array([0.8, 0.2], np.float32)
    segments = tuple(
        Segment(0.0, 4.0 - 0.5 * track, track, (0.1, 0.1, 0.2, 0.2), 0.9, 1.0, answer, ("face",),
                face_probabilities=answer)
        for track in range(len(looks))
    )  # fmt: skip
    return ClipWork(row).with_(
        segments=segments, n_tracks=len(looks), tracks=tuple(looks), duration_s=4.0
    )


ARCHIVE = (
    video("/a/one.mp4", ANNA, BEN),
    video("/a/two.mp4", near(BEN, CARO), near(ANNA, CARO)),
    video("/b/one.mp4", CARO, None),
    video("/b/twins.mp4", near(ANNA, BEN, 0.1), near(ANNA, BEN, 0.2)),
)


def written(out: Path, *groups: tuple[ClipWork, ...]) -> str:
    tables = LabelTables(str(out), LABELS, "model")
    for group in groups:
        tables.write(list(group))
    return str(out)


def people(out: str, *words: object) -> Done:
    return run_here("people", "--labels", out, *words)


def who(out: str) -> dict[tuple[str, int], tuple[int | None, str | None]]:
    rows = read_people(out)
    assert rows is not None
    return {
        (row["uri"], row["track_id"]): (row["person_id"], row["name"]) for row in rows.to_pylist()
    }


def test_people_are_the_same_in_every_video(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE[:2], ARCHIVE[2:])
    done = people(out)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "8 tracks of 4 videos are 4 people, 0 of them named; of 1 tracks nothing tells" in told
    found = {key: person for key, (person, _) in who(out).items()}
    assert found == {
        ("/a/one.mp4", 0): 0, ("/a/one.mp4", 1): 1,
        ("/a/two.mp4", 0): 1, ("/a/two.mp4", 1): 0,
        ("/b/one.mp4", 0): 2, ("/b/one.mp4", 1): None,
        # two at once in one video are two, however alike
        ("/b/twins.mp4", 0): 0, ("/b/twins.mp4", 1): 3,
    }  # fmt: skip
    rows = read_people(out)
    assert rows is not None and rows["seconds"].to_pylist()[:2] == [4.0, 3.5]
    assert names(out) == {}
    # the same again, however the rows are spread over files
    before = storage.read_bytes(f"{out}/{FILE}")
    assert people(out).returncode == 0
    assert storage.read_bytes(f"{out}/{FILE}") == before
    other = written(tmp_path / "other", *((one,) for one in reversed(ARCHIVE)))
    people(other)
    assert who(other) == who(out)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    table = tmp_path / "people.csv"
    table.write_text(
        "File;Track;Name\n/a/one.mp4;0;Anna\ntwo;person 0;Ben\ntwins.mp4;1;Anna\n"
        "/b/one.mp4;1;Nobody's face\n",
        "utf-8-sig",
    )
    done = people(out, "--names", table)
    assert done.returncode == 0, done.stderr
    found = who(out)
    assert {key: name for key, (_, name) in found.items() if name} == {
        ("/a/one.mp4", 0): "Anna", ("/a/one.mp4", 1): "Ben",
        ("/a/two.mp4", 0): "Ben", ("/a/two.mp4", 1): "Anna",
        ("/b/one.mp4", 1): "Nobody's face", ("/b/twins.mp4", 1): "Anna",
    }  # fmt: skip
    assert found["/b/twins.mp4", 0] != found["/b/twins.mp4", 1], "Anna is in view already"
    lanes = {v.row["uri"]: set(v.lanes) for v in open_labels(out).videos()}
    assert lanes["/a/one.mp4"] == {"Anna", "Ben"}
    assert lanes["/b/one.mp4"] == {"person 0", "Nobody's face"}


def test_one_name_for_two_tracks_is_one_lane(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    (tmp_path / "p.csv").write_text("file,track,name\n/a/one.mp4,0,X\n/a/one.mp4,1,X\n")
    done = people(out, "--names", tmp_path / "p.csv")
    assert "X is two tracks of one video" in " ".join(done.stdout.split())
    video = next(v for v in open_labels(out).videos() if v.row["uri"] == "/a/one.mp4")
    assert [(s.start_s, s.end_s) for s in video.lanes["X"]] == [(0.0, 3.5)]


def test_names_that_look_alike_are_asked_about(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    (tmp_path / "p.csv").write_text("file,track,name\n/a/one.mp4,0,Anna\ntwo.mp4,1,Anne\n")
    done = people(out, "--names", tmp_path / "p.csv")
    assert "Anna and Anne look like one person" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("one,0,Anna", "line 2: 2 videos are called one: give the whole URI"),
        ("two.mp4,7,Anna", "line 2: no track '7' of 'two.mp4' in the labels"),
        ("three.mp4,0,Anna", "line 2: no track '0' of 'three.mp4'"),
        ("two.mp4,0,person 3", "'person 3' is no name"),
        ('two.mp4,0,"An\x1bna"', "is no name: it holds what cannot be shown"),
        ("two.mp4,0,Anna\ntwo,0,Ben", "line 3: track 0 of two is Anna already, not Ben"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    (tmp_path / "p.csv").write_text(f"file,track,name\n{line}\n")
    done = people(out, "--names", tmp_path / "p.csv")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert told in done.stderr and read_people(out) is None


def test_labels_without_faces_are_refused(tmp_path: Path) -> None:
    plain = ARCHIVE[0].with_(tracks=None)
    out = written(tmp_path / "labels", (plain,))
    done = people(out)
    assert done.returncode == 2 and "labelled without --identify" in done.stderr
    assert "holds no labels" in people(str(tmp_path / "nowhere")).stderr


def test_embeddings_are_plain_types_and_are_not_read_along(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    rows = read_parts(f"{out}/videos")
    assert rows is not None
    kind = rows.schema.field("tracks").type.value_type
    assert kind.field("embedding").type == pa.list_(pa.float32())
    videos = LabelTables(out, LABELS, "model").videos()
    assert videos is not None and "tracks" not in videos.column_names


def test_the_error_is_one_of_usage(tmp_path: Path) -> None:
    out = written(tmp_path / "labels", ARCHIVE)
    done = people(out, "--threshold", 2)
    assert done.returncode == 2 and "--threshold 2.0: above 0, below 1" in done.stderr
    assert UsageError.__name__ not in done.stderr


def test_nothing_is_read_while_somebody_else_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an erasure takes away meanwhile would be written back."""
    out = written(tmp_path / "labels", ARCHIVE[:1])
    monkeypatch.setattr(tracks, "_gathered", lambda *_: pytest.fail("read"))
    with storage.sole_writer(out, "labels", print):
        done = people(out)
    assert done.returncode == 2 and "another job writes labels there" in done.stderr
