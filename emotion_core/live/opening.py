"""A source, opened for the models that are to see and hear it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np

from emotion_core.errors import ClipError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.mouths import with_mouths
from emotion_core.labelling.report.cards import cards
from emotion_core.labelling.step import LabelStep
from emotion_core.labelling.windows import FaceObservation, Piece
from emotion_core.live.addresses import Address
from emotion_core.live.front import MOST_WAIT_S, Front
from emotion_core.live.orders import Order
from emotion_core.live.session import Keeper, LiveSession
from emotion_core.live.source import Patience, Source
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec

_NO_CAP = 1_000_000


@dataclass(frozen=True)
class Timing:
    """How a source is played, and how long it is waited for.

    Attributes:
        pace: seconds of a file that are played in a second.
        most_wait_s: as ``front.Front`` takes it.
        open_s, read_s: see ``orders.Order``.
        patience: see ``source.Patience``.
    """

    pace: float = 1.0
    most_wait_s: float | None = MOST_WAIT_S
    open_s: float = 10.0
    read_s: float = 10.0
    patience: Patience = Patience()


@dataclass(frozen=True)
class Opened:
    """A source that plays into its front, and the models."""

    step: LabelStep
    source: Source
    front: Front
    given: Address

    def session(self, models: tuple[str, ...] = (), keeper: Keeper | None = None) -> LiveSession:
        """What answers; to be started."""
        return LiveSession(self.step, self.source, self.front, self.given.file, models, keeper)


@contextmanager
def opened(
    step: LabelStep,
    given: Address,
    fps: float,
    timing: Timing = Timing(),  # noqa: B008 - frozen
) -> Iterator[Opened]:
    """The source, opened; it is closed behind the block.

    Args:
        step: the models.
        given: the source.
        fps: pictures a second to show where no model wants any.
        timing: see there.

    Raises:
        UsageError: it cannot be opened.
    """
    plan = live_plan(step.plan, given, fps)
    mouths = with_mouths(plan) if step.speakers else None
    order = Order(given, plan, mouths, timing.open_s, timing.read_s, timing.pace)
    front = Front(plan.sample_rate or 0, timing.most_wait_s)
    source = Source(order, front, timing.patience)
    warm(step)
    try:
        source.start()
        yield Opened(step, source, front, given)
    finally:
        source.close()


def live_plan(plan: DecodePlan, given: Address, fps: float) -> DecodePlan:
    """What labelling takes of a file; pictures also where they are only to be shown."""
    if plan.video is None:
        shown = VideoSpec(sampling="fps", fps=fps, max_frames=_NO_CAP)
        plan = replace(plan, video=shown)
    return plan if given.sound else replace(plan, sample_rate=None)


def model_lines(how: Labelling) -> tuple[str, ...]:
    """A line for each model: its name, how right it is about strangers, and on what terms."""
    foreign = [each.facts() for each in how.foreign]
    ids = [bundle.model_id for bundle in how.together.models]
    return tuple(
        f"{card.name}: {card.figure}" + (f" Terms: {card.terms}." if card.terms else "")
        for card in cards(ids, how.models, foreign)
    )


def warm(step: LabelStep) -> None:
    """Ask the models once about noise: what they load at first would hold up the first pictures."""
    rate = step.ensemble.sample_rate or 0
    window_s = step.windowing.window_s
    noise = np.random.default_rng(0).normal(0, 0.1, round(window_s * rate)).astype(np.float32)
    sides = [(view.face_size, view.face_size) + (3,) * (not view.grey) for view in step.views]
    crops = tuple(np.full(side, 128, np.uint8) for side in sides)
    face = FaceObservation(0.0, 0, (0.0, 0.0, 1.0, 1.0), 1.0, crops)
    faces = (face,) if crops else ()
    window = Piece(0.0, window_s, noise, rate, (0.0,), faces)
    with suppress(ClipError):  # of a grey square; what models make of people is told then
        step.ensemble.answers(list(step.ensemble.queries(window, 0.0)))
    if step.detector is not None:
        step.detector.detect(np.zeros((1, 480, 640, 3), np.uint8))
    if step.speakers:
        import scipy.ndimage
        import scipy.signal  # noqa: F401 - both half a second, when first asked whose a voice is
