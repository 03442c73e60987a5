"""What the server tells the page, as text and bytes."""

import json
import math
from dataclasses import asdict
from typing import Any

from emotion_core.labelling.report.lanes import near_chance
from emotion_core.live.state import Face, Moment, Session, Snapshot

_LENGTH_BYTES = 4


def hello(session: Session) -> str:
    """What does not change: labels, models, and below which probability an answer is a guess."""
    least = near_chance(len(session.labels))
    return _json({"labels": session.labels, "models": session.models, "least": least})


def frame(snapshot: Snapshot, whole: bool) -> bytes:
    """A snapshot as one message: the length of its JSON (4 bytes, big-endian), JSON, JPEG.

    Args:
        snapshot: what is shown, with what is new to this viewer.
        whole: its moments are all that there are, and replace what the viewer has.
    """
    said = {
        "number": snapshot.number,
        "time": _number(snapshot.time_s),
        "faces": [_face(face) for face in snapshot.faces],
        "voice": snapshot.voice and _moment(snapshot.voice),
        "moments": [_moment(moment) for moment in snapshot.moments],
        "whole": whole,
        "figures": {
            name: _number(value) if isinstance(value, float) else value
            for name, value in asdict(snapshot.figures).items()
        },
    }
    text = _json(said).encode()
    return len(text).to_bytes(_LENGTH_BYTES, "big") + text + snapshot.picture


def _face(face: Face) -> dict[str, Any]:
    return {
        "id": face.track_id,
        "box": [_number(each) for each in face.box],
        "p": [_number(each) for each in face.probabilities],
        "speaking": face.speaking,
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "time": _number(moment.time_s),
        "who": moment.who,
        "p": [_number(each) for each in moment.probabilities],
    }


def _number(value: float) -> float | None:
    """Rounded; None for what is no number, which JSON has no word for."""
    return round(float(value), 4) if math.isfinite(value) else None


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
