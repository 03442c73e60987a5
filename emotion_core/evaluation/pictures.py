"""All pictures of an evaluation."""

from emotion_core.evaluation.metrics import Assessment
from emotion_core.evaluation.plots import confusion_png, recall_png
from emotion_core.evaluation.trust import reliability_png, speakers_png


def evaluation_pictures(found: Assessment, title: str) -> dict[str, bytes]:
    """File name -> PNG; ``speakers.png`` only where at least two speakers are named."""
    pictures = {
        "confusion.png": confusion_png(found.figures, title),
        "recall.png": recall_png(found.figures, title),
        "reliability.png": reliability_png(found.calibration, title),
    }
    people = speakers_png(found, title)
    return pictures if people is None else {**pictures, "speakers.png": people}
