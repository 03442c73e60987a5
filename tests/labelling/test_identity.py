"""Tracks of one video that are one person's become one, and never those seen side by side."""

from pathlib import Path

import numpy as np
import pytest

from emotion_core.clips.work import ClipWork, Segment
from emotion_core.errors import UsageError
from emotion_core.faces.embedding import FaceEmbedder
from emotion_core.faces.likeness import Leaders
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.identity import Identify, linked, renumbered
from emotion_core.labelling.rows import video_rows
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.models.bundle import load_bundle
from tests.support.labelling import LABELS, untrained, work_on
from tests.support.people import BLUE, GREEN, RED, Colours, Shot, colour_network, write_video
from tests.support.small_recipes import small


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_network(tmp_path_factory.mktemp("network") / "colours.onnx")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"), ("face",), small("face-small"))


def labelled(model: Path, path: Path, network: Path | None, *shots: Shot) -> ClipWork:
    known_by = None if network is None else Identify(str(network)).load("cpu")
    step = LabelStep([load_bundle(str(model))], Colours(), LabelOptions(fps=2.0),
                     known_by=known_by)  # fmt: skip
    (done,) = step([work_on(write_video(path, shots))])
    return done


def seen(done: ClipWork) -> dict[int | None, list[float]]:
    found: dict[int | None, list[float]] = {}
    for segment in done.segments:
        found.setdefault(segment.track_id, []).append(segment.start_s)
    return found


AWAY_AND_BACK = (
    (4.0, {20: RED, 200: GREEN}),
    (4.0, {}),
    (4.0, {200: RED, 110: BLUE}),
)


def test_who_comes_back_is_the_same_person(model: Path, network: Path, tmp_path: Path) -> None:
    alone = labelled(model, tmp_path / "a.mp4", None, *AWAY_AND_BACK)
    assert (alone.n_tracks, alone.tracks) == (4, None)
    done = labelled(model, tmp_path / "b.mp4", network, *AWAY_AND_BACK)
    assert done.n_tracks == 3 and done.notes == ("several_people",)
    assert done.tracks is not None
    looks = np.stack([look for look in done.tracks if look is not None])
    assert looks.shape == (3, 3)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, atol=1e-5)
    strongest = looks.argmax(axis=1).tolist()
    assert strongest[0] == 0 or strongest[1] == 0, "red comes first, or second to green"
    red = strongest.index(0)
    both = seen(done)
    assert {0.0, 8.0} <= set(both[red]), "before and after"
    others = [track for track in both if track != red]
    assert all((max(both[t]) < 4) != (min(both[t]) > 4) for t in others), "nobody else came back"
    assert len({(s.start_s, s.track_id) for s in done.segments}) == len(done.segments)
    row = video_rows([done], LABELS).to_pylist()[0]
    assert [track["track_id"] for track in row["tracks"]] == [0, 1, 2]
    assert sum(track["seconds"] for track in row["tracks"]) == pytest.approx(row["labelled_s"])


def test_who_is_seen_beside_somebody_is_not_them(
    model: Path, network: Path, tmp_path: Path
) -> None:
    done = labelled(model, tmp_path / "twins.mp4", network, (4.0, {20: RED, 200: RED}))
    assert done.n_tracks == 2 and done.notes == ("several_people",)


def test_two_tracks_of_one_window_are_one_row(model: Path, network: Path, tmp_path: Path) -> None:
    shots = ((1.5, {20: RED}), (2.5, {200: RED}))
    apart = labelled(model, tmp_path / "a.mp4", None, *shots)
    assert apart.n_tracks == 2 and len(apart.segments) == 2
    done = labelled(model, tmp_path / "b.mp4", network, *shots)
    (segment,) = done.segments
    assert (done.n_tracks, segment.track_id, done.notes) == (1, 0, ())
    mean = np.mean([s.probabilities for s in apart.segments], axis=0)
    np.testing.assert_allclose(segment.probabilities, mean, atol=1e-6)


def test_whoever_of_two_tracks_spoke_the_person_did() -> None:
    p = np.array([0.4, 0.6], np.float32)
    spoke = Segment(0.0, 4.0, 0, None, 0.5, None, p, ("audio", "face"), p, p, 0.8)
    seen_better = Segment(0.0, 4.0, 1, None, 0.9, None, p, ("face",), None, p)
    for order in ([spoke, seen_better], [seen_better, spoke]):
        (both,) = renumbered(order, {0: 0, 1: 0})
        assert (both.speaking, both.face_score, both.modalities) == (0.8, 0.9, ("audio", "face"))


def test_links_go_round_whom_one_was_seen_with() -> None:
    red = np.array([1, 0], np.float32)
    new, looks = linked(range(4), {0: red, 1: red, 3: red}, {(0, 1), (1, 3)}, 0.5)
    assert new == {0: 0, 1: 1, 2: 2, 3: 0} and looks[2] is None


def test_leaders_grow_and_tell_apart() -> None:
    vectors = np.eye(40, dtype=np.float32)
    leaders = Leaders(0.5)
    for vector in vectors:
        assert leaders.closest(vector) is None
        leaders.join(None, vector)
    assert [leaders.closest(vector) for vector in vectors] == list(range(40))
    assert leaders.closest(vectors[3], apart={3}) is None


def test_what_is_no_such_network_is_one_line(model: Path, network: Path, tmp_path: Path) -> None:
    other = colour_network(tmp_path / "wide.onnx", side=224)
    with pytest.raises(UsageError, match="knows faces takes"):
        FaceEmbedder(str(other))
    with pytest.raises(UsageError, match="0 face-embedding networks there"):
        FaceEmbedder(str(tmp_path))
    colour_network(tmp_path / "faces.onnx")
    assert FaceEmbedder(str(tmp_path)).weights_hash == FaceEmbedder(str(network)).weights_hash
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(UsageError, match=r"text\.onnx is no ONNX network: .*protobuf"):
        FaceEmbedder(str(tmp_path / "text.onnx"))
    how = Labelling((str(model),), identify=Identify(str(network), 0.4))
    how.check()
    assert how.settings()["identify"]["threshold"] == 0.4
    assert "identify" not in Labelling((str(model),)).settings()
    with pytest.raises(UsageError, match="needs a --model that looks for faces"):
        Labelling(("voice",), identify=Identify(str(network))).check()


def test_faces_without_landmarks_are_nobody_s(network: Path) -> None:
    embedder = FaceEmbedder(str(network))
    picture = np.zeros((100, 100, 3), np.uint8)
    assert embedder.aligned(picture, np.full((5, 2), np.nan, np.float32)) is None
    assert embedder.aligned(picture, np.zeros((5, 2), np.float32)) is None
