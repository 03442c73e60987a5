"""Any video to rows: every person, every window, whatever a video lacks."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from emotion_core.clips.work import ClipWork, Segment
from emotion_core.labelling.limits import Limits
from emotion_core.labelling.rows import labelled_seconds, segment_rows, video_rows
from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.labelling.windows import Windowing
from emotion_core.models.bundle import load_bundle
from emotion_core.models.samples import Sample
from examples.demo.actors import actor
from examples.demo.files import write_clip
from examples.demo.performance import Part, perform
from examples.demo.picture import Scene
from tests.support.labelling import (
    LABELS,
    OneFace,
    labelled,
    step,
    untrained,
    what_was_seen,
    work_on,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"))


def test_one_person_who_speaks(model, demo):
    done = labelled(model, path=demo / "wild" / "holiday clip #2.mp4")
    assert done.outcome.status == "ok", done.outcome
    assert what_was_seen(done) == [(0.0, 0, ("audio", "face"))]
    (segment,) = done.segments
    assert segment.end_s == pytest.approx(3.0, abs=0.1)
    x1, y1, x2, y2 = segment.face_box
    assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
    assert (done.n_tracks, done.notes) == (1, ())
    assert done.face_provider == "CPUExecutionProvider"
    assert (done.no_face_s, done.no_sound_s) == (0, pytest.approx(0, abs=0.2))


def test_sound_face_and_both_are_three_answers(model, demo):
    done = labelled(model, path=demo / "wild" / "holiday clip #2.mp4")
    (segment,) = done.segments
    three = (
        segment.probabilities,
        segment.audio_probabilities,
        segment.face_probabilities,
    )
    for answer in three:
        assert answer.sum() == pytest.approx(1, abs=1e-5)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(three[one] - three[other]).max() > 1e-4


def test_two_people_share_no_voice(model, demo):
    done = labelled(model, path=demo / "wild" / "two at the table.mkv")
    # it says what was seen, and misses nothing
    assert (done.outcome.status, done.outcome.reasons) == ("ok", ())
    assert (done.notes, done.n_tracks) == (("several_people",), 2)
    assert what_was_seen(done) == [
        (0.0, 0, ("face",)),
        (0.0, 1, ("face",)),
        (0.0, None, ("audio",)),
    ]
    left, right, sound = done.segments
    assert left.face_box[2] < right.face_box[0] or right.face_box[2] < left.face_box[0]
    assert sound.face_box is None
    # what is nobody's is no evidence of anybody: the other one's columns stay empty
    assert left.audio_probabilities is None and sound.face_probabilities is None
    np.testing.assert_array_equal(left.probabilities, left.face_probabilities)
    np.testing.assert_array_equal(sound.probabilities, sound.audio_probabilities)


@pytest.mark.parametrize(
    ("name", "status", "reasons", "seen"),
    [
        ("phone/café 100 %.mp4", "degraded", ("no_audio",), [(0.0, 0, ("face",))]),
        ("phone/empty room.mp4", "degraded", ("no_face",), [(0.0, None, ("audio",))]),
        ("voice memo.m4a", "ok", (), [(0.0, None, ("audio",))]),
        ("not a video.mp4", "failed", ("unreadable",), []),
    ],
)
def test_what_a_video_lacks_is_said_and_the_rest_is_used(model, demo, name, status, reasons, seen):
    done = labelled(model, path=demo / "wild" / name)
    assert (done.outcome.status, done.outcome.reasons) == (status, reasons), done.outcome
    assert what_was_seen(done) == seen


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("phone/café 100 %.mp4", {"no_sound_s"}),
        ("phone/empty room.mp4", {"no_face_s"}),
        ("voice memo.m4a", {"no_face_s"}),
    ],
)
def test_seconds_without_a_face_and_without_sound_are_counted(model, demo, name, without):
    done = labelled(model, path=demo / "wild" / name)
    for column in ("no_face_s", "no_sound_s"):
        expected = done.duration_s if column in without else 0
        assert getattr(done, column) == pytest.approx(expected, abs=0.2), column


def test_a_video_that_was_cut_short_is_labelled_as_far_as_it_goes(model, demo):
    done = labelled(model, path=demo / "wild" / "cut short.mp4")
    assert (done.outcome.status, done.outcome.reasons) == ("degraded", ("cut",)), done.outcome
    assert done.segments and 1 < done.segments[-1].end_s < 5


def test_a_long_video_is_covered_by_windows_of_the_same_person(model, demo):
    done = labelled(model, path=demo / "wild" / "mood change.mp4")
    assert [s.start_s for s in done.segments] == [0, 2, 4, 6, 8]
    assert {s.track_id for s in done.segments} == {0}
    assert done.segments[-1].end_s == pytest.approx(12, abs=0.1)
    assert labelled_seconds(done.segments) == pytest.approx([2, 2, 2, 2, 4], abs=0.1)


def test_a_model_of_sound_alone_answers_from_the_sound_and_still_says_whose_it_is(demo, tmp_path):
    sound = untrained(tmp_path / "sound", ("audio",))
    one = labelled(sound, path=demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(one) == [(0.0, 0, ("audio",))]
    assert one.segments[0].face_probabilities is None
    two = labelled(sound, path=demo / "wild" / "two at the table.mkv")
    assert what_was_seen(two) == [(0.0, None, ("audio",))]
    assert (two.outcome.status, two.notes) == ("ok", ("several_people",))
    silent = labelled(sound, path=demo / "wild" / "phone/café 100 %.mp4")
    assert (silent.outcome.status, silent.outcome.reasons) == ("degraded", ("no_audio",))
    assert silent.segments == () and "nothing to label" in silent.outcome.error


def test_a_model_of_faces_alone_leaves_the_sound(demo, tmp_path):
    faces = untrained(tmp_path / "faces", ("face",))
    two = labelled(faces, path=demo / "wild" / "two at the table.mkv")
    assert [s.modalities for s in two.segments] == [("face",), ("face",)]
    assert (two.outcome.status, two.notes, two.no_sound_s) == ("ok", ("several_people",), None)
    silent = labelled(faces, path=demo / "wild" / "phone/café 100 %.mp4")
    assert silent.outcome.status == "ok"
    memo = labelled(faces, path=demo / "wild" / "voice memo.m4a")
    assert (memo.outcome.status, memo.segments) == ("failed", ())


def test_windows_and_answers_do_not_depend_on_what_is_labelled_beside(model, demo):
    names = ["holiday clip #2.mp4", "mood change.mp4", "voice memo.m4a"]
    together = step(model)([work_on(demo / "wild" / name) for name in names])
    for name, done in zip(names, together, strict=True):
        alone = labelled(model, path=demo / "wild" / name)
        assert what_was_seen(alone) == what_was_seen(done)
        for ours, theirs in zip(alone.segments, done.segments, strict=True):
            np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)


def test_the_network_is_shown_what_its_recipe_asks_for_however_many_are_looked_at(
    model, demo, monkeypatch
):
    """``--fps`` decides where faces are searched for, not what a network gets."""
    shown: list[int] = []
    asked: list[int] = []

    def watch(labeller: LabelStep) -> ClipWork:
        (bundle,) = labeller.ensemble.models
        detect, predict = labeller.detector.detect, type(bundle).predict

        def watched(self, samples: list[Sample]) -> np.ndarray:
            shown.extend(len(sample.faces) for sample in samples if sample.faces)
            return predict(self, samples)

        monkeypatch.setattr(type(bundle), "predict", watched)
        labeller.detector.detect = lambda images: (asked.append(len(images)), detect(images))[1]
        (done,) = labeller([work_on(demo / "wild" / "mood change.mp4")])
        monkeypatch.setattr(type(bundle), "predict", predict)
        return done

    usual = watch(step(model))
    assert (set(shown), sum(asked)) == ({6}, 18)
    shown.clear(), asked.clear()
    dense = watch(step(model, options=LabelOptions(fps=5.0)))
    assert (set(shown), sum(asked)) == ({6}, 60)
    assert what_was_seen(dense) == what_was_seen(usual)
    shown.clear(), asked.clear()
    sparse = watch(step(model, options=LabelOptions(fps=0.5)))
    assert (set(shown), sum(asked)) == ({2}, 6)
    assert what_was_seen(sparse) == what_was_seen(usual)


def test_small_hops_do_not_make_more_pictures(model, demo):
    """Pieces of 0.1 s, but a window is still six pictures."""
    labeller = step(model, options=LabelOptions(Windowing(4.0, 1.7)))
    looked: list[int] = []
    detect = labeller.detector.detect
    labeller.detector.detect = lambda images: (looked.append(len(images)), detect(images))[1]
    (done,) = labeller([work_on(demo / "wild" / "mood change.mp4")])
    assert sum(looked) == 18
    assert [s.start_s for s in done.segments] == pytest.approx([0, 1.7, 3.4, 5.1, 6.8, 8.5])


def test_faces_that_are_too_small_are_not_labelled(model, demo):
    path = demo / "wild" / "holiday clip #2.mp4"
    (segment,) = labelled(model, path=path, options=LabelOptions(min_face=20)).segments
    assert segment.track_id == 0
    done = labelled(model, path=path, options=LabelOptions(min_face=600))
    assert what_was_seen(done) == [(0.0, None, ("audio",))]
    assert done.outcome.reasons == ("no_face",)


def test_a_video_that_takes_too_long_keeps_what_was_done(model, demo):
    """The limit is for all work on a video; the clock here jumps by 10 s with each chunk."""
    clock = iter(range(0, 10_000, 10))
    limits = Limits(piece_s=60, video_s=25)
    bundles = [load_bundle(str(model))]
    labeller = LabelStep(bundles, OneFace(), LabelOptions(), limits, lambda: next(clock))
    (done,) = labeller([work_on(demo / "wild" / "mood change.mp4")])
    assert (done.outcome.status, done.outcome.reasons) == ("degraded", ("timeout",))
    assert "longer than 25 s" in done.outcome.error
    assert 0 < done.segments[-1].end_s == done.duration_s < 12
    assert labeller.decoder.timeout_s == 60, "the next file has its whole time"


@pytest.mark.parametrize(
    ("limits", "reasons"), [(Limits(), ("timeout",)), (Limits(video_s=math.inf), ())]
)
def test_a_video_has_six_hours_unless_somebody_says_otherwise(model, demo, limits, reasons):
    """The clock here jumps by two hours with each look at it."""
    clock = iter(range(0, 10**8, 2 * 3600))
    bundles = [load_bundle(str(model))]
    labeller = LabelStep(bundles, OneFace(), LabelOptions(), limits, lambda: next(clock))
    (done,) = labeller([work_on(demo / "wild" / "mood change.mp4")])
    assert done.outcome.reasons == reasons
    assert ("longer than 21600 s" in (done.outcome.error or "")) == bool(reasons)
    assert done.segments


def test_a_video_that_takes_too_long_for_anything_fails(model, demo):
    labeller = LabelStep([load_bundle(str(model))], OneFace(), LabelOptions(), Limits(video_s=1e-6))
    (done,) = labeller([work_on(demo / "wild" / "mood change.mp4")])
    assert (done.outcome.status, done.outcome.reasons) == ("failed", ("timeout",))


# --- rows ----------------------------------------------------------------------------------------


def segment(start_s: float, end_s: float, track_id: int | None, **probabilities: float) -> Segment:
    answer = np.array([probabilities.get(label, 0.0) for label in LABELS], np.float32)
    return Segment(
        start_s, end_s, track_id, (0, 0, 1, 1), 0.9, start_s, answer, ("face",), None, answer
    )


def rows_of(segments: list[Segment]) -> tuple[dict, list[dict]]:
    work = replace(work_on(Path("/a.mp4")), segments=tuple(segments))
    videos, found = video_rows([work], LABELS), segment_rows([work], LABELS, "m")
    assert videos.schema == videos_schema(LABELS)
    assert found.schema == segments_schema(LABELS)
    return videos.to_pylist()[0], found.to_pylist()


def test_overlapping_windows_count_every_second_of_a_person_once():
    video, rows = rows_of(
        [
            segment(0, 4, 0, happy=0.9, sad=0.1),
            segment(0, 4, 1, sad=1.0),
            segment(2, 6, 0, sad=1.0),
            segment(4, 8, 0, sad=0.6, happy=0.4),
            segment(20, 24, 0, happy=1.0),  # back after a gap
        ]
    )
    assert [row["labelled_s"] for row in rows] == [2, 4, 2, 4, 4]
    assert video["labelled_s"] == 16
    assert video["share_happy"] == 6 / 16 and video["share_sad"] == 10 / 16
    assert video["emotion"] == "sad"
    assert sum(video[f"share_{label}"] for label in LABELS) == pytest.approx(1)


def test_of_equal_shares_the_surer_emotion_is_named():
    video, _ = rows_of([segment(0, 4, 0, sad=0.6, happy=0.4), segment(4, 8, 0, happy=0.9)])
    assert video["share_sad"] == video["share_happy"] == 0.5
    assert video["emotion"] == "happy"


def test_a_still_picture_has_shares_too():
    video, rows = rows_of([segment(0, 0, 0, sad=1.0), segment(0, 0, 1, happy=1.0)])
    assert [row["labelled_s"] for row in rows] == [0, 0]
    assert (video["share_sad"], video["share_happy"], video["labelled_s"]) == (0.5, 0.5, 0)


def test_what_was_not_asked_is_null_and_what_was_is_not():
    silent = Segment(0, 4, 0, None, None, None, np.full(7, 1 / 7, np.float32), ("face",))
    video, (row,) = rows_of([silent])
    assert row["p_sad"] == pytest.approx(1 / 7)
    assert row["audio_p_sad"] is None and row["face_p_sad"] is None
    video, rows = rows_of([])
    assert rows == [] and video["emotion"] is None and video["share_sad"] is None


# --- cuts ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, shown in turn in the same place: A for 4 s, B for 1.2 s, A for 4 s, B for 4 s."""
    path = tmp_path_factory.mktemp("edited") / "interview.mp4"
    people = [actor(number, 0) for number in (8, 9)]
    people = [replace(one, look=replace(one.look, centre_x=640.0)) for one in people]

    def shot(who: int, seconds: float, seed: int) -> Iterator[np.ndarray]:
        scene = Scene(people[who].look.wall, [people[who].look])
        take = perform(people[who], [Part("neutral", False, seconds)], 1, (0, 5, seed))
        return (scene.frame([pose]) for pose in take.poses)

    shots = [shot(0, 4.0, 1), shot(1, 1.2, 2), shot(0, 4.0, 3), shot(1, 4.0, 4)]
    write_clip(path, chain(*shots), None, "interview", "")
    return path


def test_a_cut_to_somebody_else_is_somebody_else(edited, tmp_path):
    faces = untrained(tmp_path / "faces", ("face",))
    options = LabelOptions(Windowing(0.5, 0.5), fps=8.0)
    done = labelled(faces, path=edited, options=options)
    who = {s.start_s: s.track_id for s in done.segments}
    assert [who[start] for start in (0.0, 2.0, 3.5)] == [0, 0, 0]
    assert who[4.5] == 1
    # back after an insert: in the same place and looking the same
    assert [who[start] for start in (5.5, 7.0, 8.5)] == [0, 0, 0]
    # back after four seconds: nobody can say
    assert {who[start] for start in (9.5, 11.0, 12.5)} == {2}
    assert done.n_tracks == 3
