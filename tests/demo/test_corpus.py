"""The demo corpus: its names, its files, and that they come out the same again."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS
from examples.demo import build, corpus, wild
from examples.demo.actors import ORDER, actor
from examples.demo.files import write_clip, write_junk
from tests.support.jobs import run_here, run_job

SMALL = ("--actors", 1, "--emotions", "happy,sad", "--repetitions", 1, "--seconds", 1, "--wild", 0)


def grey(n: int) -> list[np.ndarray]:
    return [np.full((1080, 1280), 100 + i, np.uint8) for i in range(n)]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.mp4"))
    }


def test_names_are_those_of_ravdess() -> None:
    clips = corpus.plan(2, ["angry"], 2)

    assert [clip.path for clip in clips] == [
        "Actor_01/01-01-05-01-01-01-01.mp4",
        "Actor_01/01-01-05-02-02-01-01.mp4",
        "Actor_18/01-01-05-01-01-01-18.mp4",
        "Actor_18/01-01-05-02-02-01-18.mp4",
    ]


def test_a_full_corpus_has_the_counts_of_ravdess() -> None:
    paths = [clip.path for clip in corpus.plan(24, EMOTIONS, 8)]

    assert len(set(paths)) == len(paths) == 1440
    neutral = [path for path in paths if re.search(r"/01-01-01-", path)]
    assert len(neutral) == 96
    assert all("/01-01-01-01-" in path for path in neutral), "neutral has no strong intensity"


def test_few_actors_still_reach_every_side_of_the_elte_split() -> None:
    assert sorted(ORDER) == list(range(1, 25))
    for actors in (3, 6, 10):
        chosen = {clip.actor for clip in corpus.plan(actors, ["sad"], 1)}
        assert len(chosen) == actors
        assert chosen & set(range(1, 18))
        assert chosen & set(range(18, 23))
        assert chosen & {23, 24}


@pytest.mark.parametrize(
    ("actors", "emotions", "repetitions", "word"),
    [(0, ["sad"], 1, "--actors"), (25, ["sad"], 1, "24"), (3, ["bored"], 1, "'bored'"),
     (3, ["sad"], 0, "--repetitions"), (3, ["sad"], 9, "8")],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(
    actors: int, emotions: list[str], repetitions: int, word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        corpus.plan(actors, emotions, repetitions)


def test_actors_differ_and_each_depends_on_its_number_and_the_seed_alone() -> None:
    people = [actor(number, 0) for number in range(1, 25)]

    assert len({person.look.wall for person in people}) == 24
    assert len({person.voice.pitch_hz for person in people}) == 24
    assert {person.look.photo.person for person in people} == {"Eileen Collins", "Grace Hopper"}
    assert actor(7, 0).look == people[6].look
    assert actor(7, 1).look != people[6].look


def test_a_clip_is_what_its_settings_say(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    sound = np.sin(np.arange(48000) / 10).astype(np.float32) / 2

    write_clip(path, grey(30), sound, "a title", "what this is")

    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 720)
        assert video.average_rate == 30
        assert (audio.codec_context.name, audio.rate) == ("aac", 48000)
        assert file.metadata["title"] == "a title"
        assert file.metadata["comment"] == "what this is"
        levels = [frame.to_ndarray()[:720].mean() for frame in file.decode(video=0)]
    assert np.allclose(levels, np.arange(100, 130), atol=1.5)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    sound = np.sin(np.arange(24000) / 10).astype(np.float32) / 2
    paths = [tmp_path / "a" / name, tmp_path / "b" / name]
    for path in paths:
        write_clip(path, grey(15), sound, "t", "c")

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_that_was_interrupted_is_not_there(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from grey(3)
        raise RuntimeError("interrupted")

    path = tmp_path / "clip.mp4"
    with pytest.raises(RuntimeError, match="interrupted"):
        write_clip(path, frames(), None, "t", "c")

    assert not path.exists()


def test_a_cut_file_opens_and_ends_early(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 1080, 1280), np.uint8)
    path = tmp_path / "cut.mp4"
    write_clip(path, noise, None, "t", "c", keep=0.5)

    shown = 0
    with av.open(str(path)) as file:
        assert file.duration == pytest.approx(2e6, rel=0.05)
        try:
            for _ in file.decode(video=0):
                shown += 1
        except av.error.FFmpegError:
            pass
    assert 0 < shown < 45


def test_junk_is_no_media_file(tmp_path: Path) -> None:
    write_junk(0, tmp_path / "junk.mp4")

    with pytest.raises(av.error.FFmpegError):
        av.open(str(tmp_path / "junk.mp4"))


def test_the_wild_folder_holds_every_kind_and_as_many_as_asked_for(tmp_path: Path) -> None:
    assert [clip.path for clip in wild.plan(2, 0)] == [
        "holiday clip #2.mp4",
        "two at the table.mkv",
    ]
    clips = wild.plan(12, 0)
    assert len({clip.path for clip in clips}) == 12
    memo = next(clip for clip in clips if clip.what == "sound only")
    memo.make(tmp_path / memo.path)
    with av.open(str(tmp_path / memo.path)) as file:
        assert not file.streams.video
        assert file.duration == pytest.approx(4e6, rel=0.02)


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    tasks = [build.Task(tmp_path / name, Path.touch) for name in ("a", "b")]
    (tmp_path / "a").write_text("old")

    assert build.missing(tasks) == tasks[1:]
    assert list(build.build([])) == []


def test_the_job_makes_the_same_files_again_and_says_what_they_are(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    done = run_job("demo", "--out", first, *SMALL, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 files made" in done.stdout
    made = hashes(first / "corpus")
    assert list(made) == [
        "Actor_01/01-01-03-01-01-01-01.mp4",
        "Actor_01/01-01-04-01-01-01-01.mp4",
    ]
    (second / "corpus").mkdir(parents=True)
    done = run_here("demo", "--out", second, *SMALL, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert hashes(second / "corpus") == made

    (first / "corpus" / list(made)[0]).unlink()
    again = run_here("demo", "--out", first, *SMALL, "--workers", 1)
    assert "1 of 2 files made" in again.stdout
    assert hashes(first / "corpus") == made

    other = run_here("demo", "--out", first, *SMALL, "--seed", 1)
    assert other.returncode == 2
    assert other.stderr.startswith("error: ")
    assert "seed 0" in other.stderr

    readme = (first / "README.txt").read_text()
    for word in ("SYNTHETIC", "Eileen Collins", "NASA", "Grace Hopper", "US Navy", "No emotion"):
        assert word in readme
    with av.open(str(first / "corpus" / list(made)[0])) as file:
        assert "Synthetic demo clip" in file.metadata["comment"]
        assert "Eileen Collins" in file.metadata["comment"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(("--out", "s3://bucket/demo"), "local"), (("--out", "x", "--seconds", 0.5), "--seconds"),
     (("--out", "x", "--emotions", "happy,bored"), "'bored'")],
)  # fmt: skip
def test_wrong_usage_is_one_line(arguments: tuple[object, ...], word: str) -> None:
    done = run_here("demo", *arguments)

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert word in done.stderr
