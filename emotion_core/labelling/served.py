"""Models and detector that all workers share: on a GPU, fed by every CPU of the cluster.

``ModelServer`` is what a server holds (``engine.served``); ``ServedMember`` and ``ServedDetector``
stand in for models and detector in a worker, and ask it. Where faces are is asked for a stretch of
a video at a time, and the server searches pictures of several videos together.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from emotion_core.engine.merging import Merged
from emotion_core.engine.served import Caller
from emotion_core.faces.following import FaceFollower, Following
from emotion_core.faces.types import Detections, Detector
from emotion_core.labelling.tracks import Good
from emotion_core.models.described import Described
from emotion_core.models.foreign.model import as_matrices
from emotion_core.models.member import Features, Given, Member, TellsMore
from emotion_core.models.samples import Sample
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import Recipe
from emotion_core.sound.backends import batch_features

# Pictures that the detector looks at together.
MOST_PICTURES = 32


@dataclass(frozen=True)
class AboutMember:
    """A model without what computes.

    Attributes:
        model_id, recipe, label_set, modalities, detector: as ``Member`` has them.
        audio_backend: what makes its features of sound; None: they are the sound itself.
        tells_more: whether it is a ``TellsMore``, with these ``dimensions`` and ``votes``.
    """

    model_id: str
    recipe: Recipe
    label_set: LabelSet
    modalities: tuple[str, ...]
    detector: Mapping[str, str] | None
    audio_backend: str | None
    tells_more: bool = False
    dimensions: tuple[str, ...] = ()
    votes: bool = True


@dataclass(frozen=True)
class AboutDetector:
    """``Detector`` without what computes."""

    name: str
    weights_hash: str
    provider: str


@dataclass(frozen=True)
class About:
    """What a server holds.

    Attributes:
        members: in the order of their numbers.
        detector: None where none is wanted.
    """

    members: tuple[AboutMember, ...]
    detector: AboutDetector | None


class ModelServer:
    """What a server holds: models that answer, a detector, and one thread in which they compute.

    A model is asked by one worker at a time, so that what it answers does not depend on who asks
    beside it; pictures of many workers are searched together.

    Args:
        members: as an ``Ensemble`` has them, in one label set.
        detector: None where none is wanted.
        whole: pictures are searched in batches of one size (``engine.merging``), as befits a GPU.
    """

    def __init__(self, members: Sequence[Member], detector: Detector | None, whole: bool):
        self._members, self._detector = tuple(members), detector
        self._thread = ThreadPoolExecutor(1)
        if detector is not None:
            self._search = Merged(detector.detect, self._thread, MOST_PICTURES, whole)
        self._features: dict[int, Features] = {}

    def about(self) -> About:
        """What a worker needs to know of it."""
        detector, told = self._detector, None
        if detector is not None:
            told = AboutDetector(detector.name, detector.weights_hash, detector.provider)
        return About(tuple(map(_about, self._members)), told)

    async def answer(self, what: str, load: Any) -> Any:
        """The answer to what ``ServedMember`` and ``ServedDetector`` ask."""
        if what == "detect":
            return await self._search.ask(load)
        if what == "follow":
            return await self._follow(*load)
        number, asked = load
        computes = (
            self._sound(number) if what == "features" else getattr(self._members[number], what)
        )
        return await asyncio.get_running_loop().run_in_executor(self._thread, computes, asked)

    def _sound(self, number: int) -> Features:
        if number not in self._features:
            self._features[number] = self._members[number].features()
        return self._features[number]

    async def _follow(
        self,
        good: Good,
        every_s: float,
        state: Following,
        frames: np.ndarray,
        times_s: Sequence[float],
        cuts: Sequence[bool],
    ) -> tuple[list[Detections], Following]:
        assert self._detector is not None
        follower = FaceFollower(self._detector, good, every_s, state)
        questions = follower.questions(frames, times_s, cuts)
        answer = None
        while True:
            try:
                asked = questions.send(answer)
            except StopIteration as end:
                return end.value, follower.state
            answer = await self._search.ask(asked)


class ServedMember:
    """A model of a server, asked from a worker.

    Args:
        number: which of the server's.
        about: what it told of it.
        caller: asks.
    """

    def __init__(self, number: int, about: AboutMember, caller: Caller):
        self.model_id, self.recipe, self.label_set = about.model_id, about.recipe, about.label_set
        self.modalities, self.detector = about.modalities, about.detector
        self._number, self._backend, self._caller = number, about.audio_backend, caller

    def features(self) -> Features:
        """An encoder's are the server's, all others are made here."""
        if self._backend is None:
            return as_matrices
        assert self.recipe.audio is not None
        if self.recipe.audio.encoded:
            return partial(self._ask, "features")
        return batch_features(self.recipe.audio, self._backend, "cpu")

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """As ``Member``."""
        return cast(np.ndarray, self._ask("predict", samples))

    def _ask(self, what: str, asked: Any) -> Any:
        return self._caller.ask(what, (self._number, asked))


class ServedTeller(ServedMember):
    """One that ``TellsMore``."""

    def __init__(self, number: int, about: AboutMember, caller: Caller):
        super().__init__(number, about, caller)
        self.dimensions, self.votes = about.dimensions, about.votes

    def told(self, samples: Sequence[Sample]) -> Given:
        """As ``TellsMore``."""
        return cast(Given, self._ask("told", samples))


class ServedDetector:
    """A server's detector, asked from a worker."""

    def __init__(self, about: AboutDetector, caller: Caller):
        self.name, self.weights_hash = about.name, about.weights_hash
        self.provider = about.provider
        self._caller = caller

    def detect(self, images: np.ndarray) -> list[Detections]:
        """As ``Detector``."""
        return cast(list[Detections], self._caller.ask("detect", images))

    def follower(self, good: Good, every_s: float) -> "ServedFollower":
        """A ``FaceFollower`` that works at the server."""
        return ServedFollower(good, every_s, self._caller)


class ServedFollower:
    """As ``FaceFollower``; a stretch is one question, so a worker waits once for it."""

    def __init__(self, good: Good, every_s: float, caller: Caller):
        self._good, self._every_s, self._caller = good, every_s, caller
        self._state = Following()

    def detect(
        self, frames: np.ndarray, times_s: Sequence[float], cuts: Sequence[bool]
    ) -> list[Detections]:
        """As ``FaceFollower``."""
        load = (self._good, self._every_s, self._state, frames, times_s, cuts)
        found, self._state = self._caller.ask("follow", load)
        return cast(list[Detections], found)


def stand_ins(caller: Caller) -> tuple[list[Member], ServedDetector | None]:
    """A server's models and detector, for a worker."""
    about = cast(About, caller.about)
    members = [
        (ServedTeller if each.tells_more else ServedMember)(number, each, caller)
        for number, each in enumerate(about.members)
    ]
    detector = None if about.detector is None else ServedDetector(about.detector, caller)
    return list[Member](members), detector


def _about(member: Member) -> AboutMember:
    backend = None
    if isinstance(member, Described) and member.recipe.audio is not None:
        backend = member.info.made_with("audio_backend")
    return AboutMember(
        member.model_id,
        member.recipe,
        member.label_set,
        member.modalities,
        member.detector,
        backend,
        *((True, member.dimensions, member.votes) if isinstance(member, TellsMore) else ()),
    )
