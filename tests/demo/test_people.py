"""The made-up people: what faces and voices do, and that it can be learned, but not trivially."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emotion_core.faces.detectors import load_detector
from emotion_core.recipes.emotions import EMOTIONS
from examples.demo import corpus, geometry, voice
from examples.demo.actors import actor
from examples.demo.expression import EXPRESSIONS, Expression
from examples.demo.performance import Part, Take, perform
from examples.demo.photos import PHOTOS, Photo
from examples.demo.picture import HEIGHT, WIDTH, Pose, Scene

AT_REST = Pose(Expression())


def rgb(planes: np.ndarray) -> np.ndarray:
    import av

    return av.VideoFrame.from_ndarray(planes, format="yuv420p").to_ndarray(format="rgb24")


def marks_of(photo: Photo) -> geometry.Marks:
    return geometry.place(photo, 2.0, (100.0, 0.0), mirrored=False)


def at(point: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[point[0]]]), np.array([[point[1]]])


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.person)
def test_each_movement_goes_its_way_and_leaves_the_rest_alone(photo: Photo) -> None:
    marks = marks_of(photo)

    def moved(expression: Expression, point: tuple[float, float]) -> np.ndarray:
        basis = geometry.basis(marks, *at(point))
        return geometry.combine(geometry.weights(expression, 0.0), basis)[:, 0, 0] / marks.unit

    left, middle, right = marks.mouth
    assert moved(Expression(brow_inner=0.1), marks.brows_inner[0])[1] < -0.08
    assert abs(moved(Expression(brow_inner=0.1), middle)[1]) < 0.005
    assert moved(Expression(corner_up=0.1), left)[1] < -0.08
    assert moved(Expression(corner_out=0.1), left)[0] < -0.08
    assert moved(Expression(corner_out=0.1), right)[0] > 0.08
    # the middle of the eye is its lids' fixed point
    assert moved(Expression(eye_open=0.3), marks.eyes[1])[1] == pytest.approx(0, abs=1e-6)


def test_the_jaw_opens_below_the_lips_only() -> None:
    marks = geometry.settled(marks_of(PHOTOS[0]), Expression())
    x, y = marks.mouth[1]
    opening = 0.2 * marks.unit

    above, inside_above = geometry.open_jaw(marks, *at((x, y - 10)), opening)
    gap, inside_gap = geometry.open_jaw(marks, *at((x, y + opening / 2)), opening)
    chin, inside_chin = geometry.open_jaw(marks, *at(marks.chin), opening)

    assert (above[0, 0], inside_above[0, 0]) == (0, 0)
    assert inside_gap[0, 0] > 0.9
    assert gap[0, 0] == pytest.approx(opening / 2, rel=0.1)
    assert chin[0, 0] == pytest.approx(opening, rel=0.1)
    assert inside_chin[0, 0] == 0


@pytest.mark.parametrize("number", [1, 3], ids=["Collins", "Hopper"])
def test_only_the_head_moves(number: int) -> None:
    look = actor(number, 0).look
    scene = Scene(look.wall, [look])
    still, moved = scene.frame([AT_REST])[:HEIGHT], scene.frame([Pose(Expression(), 0.2)])[:HEIGHT]
    changed = still.astype(int) != moved

    columns = np.flatnonzero(changed.any(axis=0))
    assert 0.25 * WIDTH < look.centre_x - columns[0] + columns[-1] - look.centre_x < 0.5 * WIDTH
    assert not changed[-60:].any(), "the body stands still"
    # the eyes went 0.2 eye distances to the right
    row = int(0.42 * HEIGHT)
    shift = round(0.2 * look.eye_distance)
    eyes = slice(int(look.centre_x - look.eye_distance), int(look.centre_x + look.eye_distance))
    before, after = still[row - 20 : row + 20], moved[row - 20 : row + 20]
    followed = np.abs(np.roll(before, shift, 1)[:, eyes].astype(int) - after[:, eyes]).mean()
    stayed = np.abs(before[:, eyes].astype(int) - after[:, eyes]).mean()
    assert followed < 0.35 * stayed


def test_the_detector_finds_each_face_once_whatever_it_does() -> None:
    detector = load_detector("centerface")
    frames = []
    for number in (1, 3):
        look = actor(number, 0).look
        scene = Scene(look.wall, [look])
        frames += [rgb(scene.frame([Pose(EXPRESSIONS[e])]))[::2, ::2] for e in EMOTIONS]
    small = [
        replace(actor(number, 0).look, centre_x=x, eye_distance=75.0)
        for number, x in ((1, 340.0), (3, 920.0))
    ]
    frames.append(rgb(Scene((220, 220, 220), small).frame([AT_REST, AT_REST]))[::2, ::2])
    frames.append(rgb(Scene((220, 220, 220), []).frame([]))[::2, ::2])

    found = [int((d.scores >= 0.5).sum()) for d in detector.detect(np.stack(frames))]

    assert found == [1] * 16 + [2, 0]


def say(emotion: str, number: int = 1, seconds: float = 2.5) -> np.ndarray:
    prosody = voice.acted(emotion, 1.0, emotion, 0.0, np.zeros(9))
    rng = np.random.default_rng(5)
    return voice.speak(actor(number, 0).voice, prosody, 1, seconds, rng)[0]


def pitch(sound: np.ndarray) -> float:
    """Hertz, the median of the loud frames: where a frame is most like itself a period later."""
    frames = np.lib.stride_tricks.sliding_window_view(sound[::3], 2048)[::512]
    lags = np.arange(16000 // 700, 16000 // 60)
    alike = np.stack(
        [np.sum(frames[:, :1024] * frames[:, lag : lag + 1024], axis=1) for lag in lags], axis=1
    )
    power = np.stack([np.sum(frames[:, lag : lag + 1024] ** 2, axis=1) for lag in lags], axis=1)
    likeness = alike / np.sqrt(power + 1e-9)
    # two periods later it is as alike: the first lag that comes near the best one is the period
    best = likeness.max(axis=1, keepdims=True)
    near = likeness > 0.9 * best
    peak = near & (likeness >= np.roll(likeness, 1, 1)) & (likeness >= np.roll(likeness, -1, 1))
    hertz = 16000 / lags[peak.argmax(axis=1)]
    loud = frames.std(axis=1)
    return float(np.median(hertz[loud > 0.3 * loud.max()]))


def test_the_voice_follows_the_emotion() -> None:
    pitches = {emotion: pitch(say(emotion)) for emotion in EMOTIONS}
    levels = {emotion: say(emotion).std() for emotion in EMOTIONS}

    assert pitches["neutral"] == pytest.approx(actor(1, 0).voice.pitch_hz, rel=0.12)
    assert pitches["sad"] < pitches["neutral"] < pitches["happy"] < pitches["fearful"]
    assert levels["angry"] > 2 * levels["neutral"] > 3 * levels["sad"]
    assert max(np.abs(say(emotion)).max() for emotion in EMOTIONS) <= 1


@pytest.mark.parametrize("seconds", [1.0, 2.2, 7.0])
def test_speech_fits_its_clip_and_moves_the_mouth(seconds: float) -> None:
    rng = np.random.default_rng(1)
    sound, opened = voice.speak(actor(2, 0).voice, voice.PROSODY["sad"], 2, seconds, rng)

    assert sound.dtype == np.float32
    assert (len(sound), len(opened)) == (round(seconds * 48000), round(seconds * 100))
    speaking = opened > 0.2
    assert 0.3 < speaking.mean() < 0.95
    power = sound.reshape(-1, 480).std(axis=1)
    assert power[speaking].mean() > 4 * power[opened == 0].mean()


def take_of(clip: corpus.DemoClip) -> Take:
    index = EMOTIONS.index(clip.emotion)
    part = Part(clip.emotion, clip.intensity == 2, 2.2)
    seed = (0, 2, clip.actor, index, clip.intensity, clip.statement, clip.repetition)
    return perform(actor(clip.actor, 0), [part], clip.statement, seed)


def test_equal_seeds_give_equal_takes_and_no_two_takes_are_alike() -> None:
    who = actor(1, 0)
    takes = [perform(who, [Part("happy", True, 1.0)], 1, seed) for seed in ((1,), (1,), (2,))]

    assert len(takes[0].poses) == 30
    assert takes[0].poses == takes[1].poses != takes[2].poses
    assert np.array_equal(takes[0].sound, takes[1].sound)
    assert not np.array_equal(takes[0].sound, takes[2].sound)


def test_an_emotion_may_change_within_a_take() -> None:
    parts = [Part("happy", True, 3.0), Part("sad", True, 3.0)]

    poses = perform(actor(1, 0), parts, 1, (3,)).poses

    corners = np.array([pose.expression.corner_up for pose in poses])
    assert len(poses) == 180
    assert corners[20:90].mean() > 0.03
    assert corners[110:170].mean() < -0.03


def test_emotions_of_strangers_can_be_learned_but_not_perfectly() -> None:
    sounds, faces, labels, people = [], [], [], []
    for clip in corpus.plan(8, EMOTIONS, 2):
        take = take_of(clip)
        mfcc = librosa.feature.mfcc(y=take.sound[::3], sr=16000, n_mfcc=24)
        sounds.append(np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]))
        faces.append(np.mean([pose.expression.array() for pose in take.poses], axis=0))
        labels.append(clip.emotion)
        people.append(clip.actor)

    def accuracy(features: list[np.ndarray]) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        told = cross_val_predict(
            model, np.array(features), labels, groups=people, cv=LeaveOneGroupOut()
        )
        return float(np.mean(told == np.array(labels)))

    # chance is 0.125
    assert 0.3 < accuracy(sounds) < 0.8
    assert 0.5 < accuracy(faces) < 0.95
