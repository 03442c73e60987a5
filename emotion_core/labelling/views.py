"""Which pictures of a window are looked at, by one model or by several together."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.labelling.windows import Windowing
from emotion_core.media.sampling import sample_times
from emotion_core.recipes.specs import Recipe, VideoSpec

# The cap of a sampling that is asked for by the user, who means what they say.
_NO_CAP = 1_000_000
_USUAL_FPS = 25.0


def view_of(recipe: Recipe) -> VideoSpec | None:
    """How one model wants to see windows; None when it does not look.

    That is its recipe's spec. A model whose clips are cut into segments by counting pictures must
    get all of them, however long the window: thinned ones would lie beside another segment's
    sound.
    """
    if recipe.video is None or recipe.segment_s is None:
        return recipe.video
    return replace(recipe.video, max_frames=_NO_CAP)


def common_view(
    specs: Sequence[VideoSpec], windowing: Windowing, fps: float | None
) -> VideoSpec | None:
    """One spec for decoding the pictures of a chunk, such that every model finds its own there.

    Args:
        specs: of the models that use pictures.
        windowing: length of windows and chunks.
        fps: pictures a second that the user asked for; None leaves it to the models: what the only
            one samples, or as many as the one with most needs, evenly spaced.

    Returns:
        None without any spec.

    Raises:
        UsageError: one model takes whole pictures for faces and another does not.
    """
    if not specs:
        return None
    if len({spec.detect for spec in specs}) > 1:
        raise UsageError(
            "one model looks for faces and the other takes the whole picture for one: "
            "they cannot be combined"
        )
    side = max(spec.max_side for spec in specs)
    if fps is not None:
        return replace(specs[0], sampling="fps", fps=fps, max_frames=_NO_CAP, max_side=side)
    samplings = {(s.sampling, s.count, s.every, s.fps, s.max_frames) for s in specs}
    if len(samplings) == 1:
        return _in_a_chunk(replace(specs[0], max_side=side), windowing)
    most = max(_rate(spec, windowing) for spec in specs)
    return replace(specs[0], sampling="fps", fps=most, max_frames=_NO_CAP, max_side=side)


def pictures_for(
    recipe: Recipe, times_s: Sequence[float], start_s: float, end_s: float, fps: float
) -> list[float]:
    """The pictures of a window that a model is shown: those nearest to what its recipe samples.

    Args:
        recipe: with pictures.
        times_s: of the pictures that were looked at, ascending.
        start_s, end_s: the window.
        fps: mean frame rate of the video.

    Returns:
        Some of ``times_s``, ascending. A model whose clips are cut into segments by counting
        pictures gets as many as it counts on, some of them twice where too few were looked at; any
        other gets each once.
    """
    spec = view_of(recipe)
    assert spec is not None
    known = np.asarray(times_s)
    wanted = sample_times(spec, start_s, max(end_s, start_s + 1e-3), fps)
    counted = recipe.segment_s is not None
    if not len(known) or len(known) == len(wanted) or (len(known) < len(wanted) and not counted):
        return known.tolist()
    nearest = np.abs(known[None, :] - wanted[:, None]).argmin(axis=1)
    return known[nearest if counted else np.unique(nearest)].tolist()


def _in_a_chunk(spec: VideoSpec, windowing: Windowing) -> VideoSpec:
    """A sampling of windows as one of chunks: as many pictures a second, with the same cap."""
    share = windowing.chunk_s / windowing.window_s
    return replace(
        spec,
        count=max(1, round(spec.count * share)),
        max_frames=max(1, math.ceil(spec.max_frames * share)),
    )


def _rate(spec: VideoSpec, windowing: Windowing) -> float:
    """Pictures a second."""
    rate = {
        "uniform": spec.count / windowing.window_s,
        "stride": _USUAL_FPS / spec.every,
        "fps": spec.fps,
    }[spec.sampling]
    return rate if spec.sampling == "uniform" else min(rate, spec.max_frames / windowing.window_s)
