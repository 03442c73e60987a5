"""Tasks with predictions for Label Studio, and the labelling interface that shows them."""

import json
from collections.abc import Sequence
from typing import IO, Any
from xml.sax.saxutils import quoteattr

from emotion_core.exports.labelled import LabelledVideo
from emotion_core.exports.timed import joined
from emotion_core.report.colours import colour_of

TASKS, INTERFACE = "labelstudio.json", "labelstudio.xml"


class Tasks:
    """A JSON list, written task by task: of a million videos it would not fit into memory."""

    def __init__(self, file: IO[bytes]):
        self._file, self._before = file, b"[\n"

    def add(self, video: LabelledVideo) -> None:
        """One more task."""
        self._file.write(self._before + json.dumps(task(video)).encode())
        self._before = b",\n"

    def close(self) -> None:
        """The end of the list; the file is closed by whoever opened it."""
        self._file.write((self._before if self._before == b"[\n" else b"\n") + b"]\n")


def task(video: LabelledVideo) -> dict[str, Any]:
    """One task: a region for each stretch, its lane as a note, its confidence as a score.

    Label Studio reads the file from the address in ``data``: a local path only where it serves
    that folder, a bucket where it is connected to that.
    """
    stretches = [each for lane in video.lanes.values() for each in joined(lane)]
    regions = [
        {
            "id": f"{place:06d}",
            "from_name": "emotion",
            "to_name": "sound",
            "type": "labels",
            "score": round(each.confidence, 4),
            "value": {"start": each.start_s, "end": each.end_s, "labels": [each.emotion],
                      "channel": 0},
            "meta": {"text": [each.lane]},
        }
        for place, each in enumerate(stretches)
    ]  # fmt: skip
    mean = sum(each.confidence for each in stretches) / max(1, len(stretches))
    return {
        "data": {"video": video.row["uri"], "name": video.name, "status": video.row["status"]},
        "predictions": [{"model_version": "emotion-core", "score": mean, "result": regions}],
    }


def interface(labels: Sequence[str]) -> str:
    """The labelling interface, as XML: the video, its sound as a wave, one label an emotion."""
    values = "\n".join(
        f"    <Label value={quoteattr(label)} background={quoteattr(colour_of(label))}/>"
        for label in labels
    )
    return f"""<View>
  <Header value="$name"/>
  <Video name="video" value="$video" sync="sound"/>
  <Labels name="emotion" toName="sound">
{values}
  </Labels>
  <Audio name="sound" value="$video" sync="video"/>
</View>
"""
