"""How far mouths are open, picture by picture: what one sees of somebody who speaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.faces.boxes import take
from emotion_core.faces.squares import SIDE, in_picture, place_of, same_face, square_of
from emotion_core.faces.types import Detector

_LEAST_SCORE = 0.3  # of the detector: where the face is is known already
# Where a face is between two pictures in which it was found is known for this long.
_MOST_S = 1.0
# Pixels of the aligned mouth, and its side in distances of the eyes.
_MOUTH = 32
_WIDTH = 1.1
# The inner mouth in it, and which share of its pixels are the dark ones.
_INNER = (slice(12, 23), slice(10, 22))
_DARK = 0.11
# Pictures over which key points are smoothed: detectors jitter, and heads are slow.
_SMOOTH = 7


@dataclass(frozen=True)
class MouthPicture:
    """The lower face of one track in one picture.

    Attributes:
        time_s: of the picture.
        track_id: whose.
        grey: uint8 (128, 128), a square around the face.
        square: its left, top and side in pixels of the picture.
        landmarks: float32 (5, 2), as ``Detections`` has them, pixels of the picture.
    """

    time_s: float
    track_id: int
    grey: np.ndarray
    square: tuple[float, float, float]
    landmarks: np.ndarray


def mouth_pictures(
    frames: np.ndarray,
    times_s: Sequence[float],
    known: Mapping[int, Sequence[tuple[float, np.ndarray]]],
    detector: Detector,
) -> list[MouthPicture]:
    """The mouths in pictures that nobody searched for faces.

    Args:
        frames: uint8 (n, height, width, 3), RGB.
        times_s: of each, ascending.
        known: for each track when and where its face was found, boxes in pixels, ascending.
        detector: finds the key points of each face in a small square around it.

    Returns:
        In order of time; a face that is not found where it should be is left out.
    """
    wanted = [
        (time_s, track_id, frame, box)
        for frame, time_s in zip(frames, times_s, strict=True)
        for track_id, places in known.items()
        if (box := _place(places, time_s)) is not None
    ]
    if not wanted:
        return []
    crops = np.stack([square_of(frame, box) for _, _, frame, box in wanted])
    found = []
    for (time_s, track_id, frame, box), crop, faces in zip(
        wanted, crops, detector.detect(crops), strict=True
    ):
        faces = in_picture(take(faces, faces.scores >= _LEAST_SCORE), box, frame.shape)
        same = same_face(box, faces)
        if same is not None:
            grey = (crop @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
            square = place_of(box, frame.shape)
            found.append(MouthPicture(time_s, track_id, grey, square, faces.landmarks[same]))
    return found


def _place(places: Sequence[tuple[float, np.ndarray]], time_s: float) -> np.ndarray | None:
    """Where a face is at a time, between the places where it was found."""
    times = np.array([time for time, _ in places])
    after = int(np.searchsorted(times, time_s))
    near = [places[k] for k in (after - 1, after) if 0 <= k < len(places)]
    near = [(time, box) for time, box in near if abs(time - time_s) <= _MOST_S]
    if len(near) < 2:
        return near[0][1] if near else None
    (first_s, first), (last_s, last) = near
    share = (time_s - first_s) / max(last_s - first_s, 1e-6)
    return first + share * (last - first)


def openings(pictures: Sequence[MouthPicture]) -> np.ndarray:
    """How far the mouth of one track is open in each picture, in no unit: float64 (n,).

    An open mouth is dark inside, and shows teeth and lips beside the dark: so it is the mean of
    two measures, how dark the darkest pixels of the inner mouth are and how much its pixels
    differ, each with mean 0 and deviation 1.

    Args:
        pictures: of one track, in order of time, one at least.
    """
    points = _smooth(np.stack([picture.landmarks for picture in pictures]).astype(np.float64))
    mouths = np.stack(
        [_aligned(picture, own) for picture, own in zip(pictures, points, strict=True)]
    )
    mouths -= mouths.mean(axis=(1, 2), keepdims=True)
    inner = mouths[:, _INNER[0], _INNER[1]].reshape(len(mouths), -1)
    darkest = np.sort(inner, axis=1)[:, : round(_DARK * inner.shape[1])]
    return (_standard(-darkest.mean(axis=1)) + _standard(inner.std(axis=1))) / 2


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-9)


def _smooth(points: np.ndarray) -> np.ndarray:
    """(n, 5, 2): medians of three, then means of ``_SMOOTH``."""
    from scipy.ndimage import median_filter, uniform_filter1d

    steady = median_filter(points, size=(3, 1, 1), mode="nearest")
    return uniform_filter1d(steady, _SMOOTH, axis=0, mode="nearest")


def _aligned(picture: MouthPicture, points: np.ndarray) -> np.ndarray:
    """The mouth, upright and always as large: float64 (32, 32)."""
    from scipy.ndimage import map_coordinates

    left_eye, right_eye, mouth = points[0], points[1], points[3:5].mean(axis=0)
    eyes, across = (left_eye + right_eye) / 2, right_eye - left_eye
    down = mouth - eyes
    size = max(float(np.hypot(*across)), 0.9 * float(np.hypot(*down)), 1e-6)
    x_axis = across / max(float(np.hypot(*across)), 1e-6)
    y_axis = np.array([-x_axis[1], x_axis[0]])
    centre = mouth + 0.1 * size * down / max(float(np.hypot(*down)), 1e-6)
    steps = np.linspace(-0.5, 0.5, _MOUTH) * _WIDTH * size
    places = centre + steps[:, None, None] * y_axis + steps[None, :, None] * x_axis
    left, top, side = picture.square
    # the middle of a pixel is half a pixel from its edge
    inside = (places - (left, top)) * (SIDE / side) - 0.5
    grey = picture.grey.astype(np.float64)
    return map_coordinates(grey, [inside[..., 1], inside[..., 0]], order=1, mode="nearest")
