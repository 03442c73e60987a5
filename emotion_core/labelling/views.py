"""Which pictures of a window are looked at, by one model or by several together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.media.sampling import sample_times
from emotion_core.recipes.specs import Recipe, VideoSpec

# The cap of a sampling that is asked for by the user, who means what they say.
_NO_CAP = 1_000_000


def samplings(specs: Sequence[VideoSpec], fps: float | None) -> tuple[VideoSpec, ...]:
    """How pictures are taken from a window, such that every model finds its own among them.

    Args:
        specs: of the models that use pictures.
        fps: pictures a second that the user asked for; None leaves it to the models: each has what
            it would be given of a clip as long as the window.

    Returns:
        One spec or several, whose pictures are taken together; () without any.

    Raises:
        UsageError: one model takes whole pictures for faces and another does not.
    """
    if not specs:
        return ()
    if len({spec.detect for spec in specs}) > 1:
        raise UsageError(
            "one model looks for faces and the other takes the whole picture for one: "
            "they cannot be combined"
        )
    side = max(spec.max_side for spec in specs)
    if fps is not None:
        asked = replace(specs[0], sampling="fps", fps=fps, max_frames=_NO_CAP)
        return (replace(asked, max_side=side),)
    return tuple(replace(spec, max_side=side) for spec in specs)


def pictures_for(
    recipe: Recipe, times_s: Sequence[float], start_s: float, end_s: float, fps: float
) -> list[float]:
    """The pictures of a window that a model is shown: those nearest to what its recipe samples.

    Args:
        recipe: with pictures.
        times_s: of the pictures that were looked at, ascending.
        start_s, end_s: the window, as far as the pictures go.
        fps: mean frame rate of the video.

    Returns:
        Some of ``times_s``, ascending. A model whose clips are cut into segments by counting
        pictures gets as many as it counts on, some of them twice where too few were looked at; any
        other gets each once.
    """
    spec = recipe.view
    assert spec is not None
    known = np.asarray(times_s)
    wanted = sample_times(spec, start_s, max(end_s, start_s + 1e-3), fps)
    counted = recipe.segment_s is not None
    if not len(known) or len(known) == len(wanted) or (len(known) < len(wanted) and not counted):
        return known.tolist()
    nearest = np.abs(known[None, :] - wanted[:, None]).argmin(axis=1)
    return known[nearest if counted else np.unique(nearest)].tolist()
