"""Unlabelled videos of the kinds that an archive holds, sound ones and damaged ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from emotion_core.recipes.emotions import EMOTIONS
from examples.demo.actors import Actor, actor
from examples.demo.corpus import NOTICE, notice
from examples.demo.files import write_clip, write_junk
from examples.demo.performance import Part, Take, perform
from examples.demo.picture import Scene

_WILD = 3  # the first number of this module's random streams
_FIRST_ACTOR = 7  # people whom a small corpus does not hold
_AT_TABLE, _CHANGE = ("happy", "angry"), ("happy", "sad")
_MOODS = ("happy", "surprised", "sad", "angry", "calm", "fearful", "disgust", "neutral")


@dataclass(frozen=True)
class WildClip:
    """One file of the folder.

    Attributes:
        path: below the folder.
        what: for people.
        make: writes it, given its path; picklable.
        played: the emotions in it, in order of time, or of people from left to right.
    """

    path: str
    what: str
    make: Callable[[Path], None]
    played: tuple[str, ...] = ()


def plan(count: int, seed: int) -> list[WildClip]:
    """The first ``count`` files: eight kinds, then more plain clips."""
    kinds = [
        _plain_clip("holiday clip #2.mp4", seed, 0),
        WildClip("two at the table.mkv", "two people in view", partial(_two, seed), _AT_TABLE),
        WildClip("phone/café 100 %.mp4", "no sound", partial(_silent, seed), ("surprised",)),
        WildClip("phone/empty room.mp4", "nobody in view, a voice", partial(_wall, seed), ("sad",)),
        WildClip("voice memo.m4a", "sound only", partial(_memo, seed), ("angry",)),
        WildClip("mood change.mp4", "12 s, the emotion changes midway", partial(_change, seed),
                 _CHANGE),
        WildClip("cut short.mp4", "the download stopped at 60 %", partial(_cut, seed),
                 ("fearful",)),
        WildClip("not a video.mp4", "20 kB of noise", partial(write_junk, seed)),
    ]  # fmt: skip
    more = [
        _plain_clip(f"clip {index:02d}.mp4", seed, index)
        for index in range(len(kinds) + 1, count + 1)
    ]
    return [*kinds, *more][:count]


def _plain_clip(path: str, seed: int, index: int) -> WildClip:
    played = (_MOODS[index % len(EMOTIONS)],)
    return WildClip(path, "one person", partial(_plain, seed, index), played)


def _actor(index: int, seed: int) -> Actor:
    return actor(_FIRST_ACTOR + index % 11, seed)


def _take(who: Actor, moods: list[str], seconds: float, seed: int, index: int) -> Take:
    parts = [Part(mood, True, seconds / len(moods)) for mood in moods]
    return perform(who, parts, 1 + index % 2, (seed, _WILD, index))


def _film(path: Path, who: Actor, take: Take, sound: np.ndarray | None, keep: float = 1.0) -> None:
    scene = Scene(who.look.wall, [who.look])
    frames = (scene.frame([pose]) for pose in take.poses)
    write_clip(path, frames, sound, path.stem, notice([who]), keep)


def _plain(seed: int, index: int, path: Path) -> None:
    who = _actor(index, seed)
    take = _take(who, [_MOODS[index % len(EMOTIONS)]], 3.0, seed, index)
    _film(path, who, take, take.sound)


def _two(seed: int, path: Path) -> None:
    people = [
        replace(who, look=replace(who.look, centre_x=x, eye_distance=75.0))
        for who, x in ((_actor(1, seed), 340.0), (_actor(2, seed), 920.0))
    ]
    left, right = (
        _take(who, [mood], 4.0, seed, 20 + i)
        for i, (who, mood) in enumerate(zip(people, _AT_TABLE, strict=True))
    )
    scene = Scene(people[0].look.wall, [who.look for who in people])
    frames = (scene.frame(both) for both in zip(left.poses, right.poses, strict=True))
    # they speak at once, one of them further from the microphone
    sound = (0.7 * left.sound + 0.3 * right.sound).astype(np.float32)
    write_clip(path, frames, sound, path.stem, notice(people))


def _silent(seed: int, path: Path) -> None:
    who = _actor(3, seed)
    _film(path, who, _take(who, ["surprised"], 3.0, seed, 3), None)


def _wall(seed: int, path: Path) -> None:
    who = _actor(4, seed)
    take = _take(who, ["sad"], 3.0, seed, 4)
    scene = Scene(who.look.wall, [])
    frames = (scene.frame([]) for _ in take.poses)
    write_clip(path, frames, take.sound, path.stem, NOTICE)


def _memo(seed: int, path: Path) -> None:
    take = _take(_actor(5, seed), ["angry"], 4.0, seed, 5)
    write_clip(path, None, take.sound, path.stem, NOTICE)


def _change(seed: int, path: Path) -> None:
    who = _actor(6, seed)
    take = _take(who, list(_CHANGE), 12.0, seed, 6)
    _film(path, who, take, take.sound)


def _cut(seed: int, path: Path) -> None:
    who = _actor(7, seed)
    take = _take(who, ["fearful"], 5.0, seed, 7)
    _film(path, who, take, take.sound, keep=0.6)
