"""A damaged model ends in one line, or answers."""

from pathlib import Path

from chaos.models import KINDS, damage, fate
from tests.support.containers import write


def test_damaged_models(tmp_path: Path) -> None:
    import numpy as np

    clip = write("h264.mp4", tmp_path, 25)
    ends = set()
    for kind in ("bundle", "onnx-voice"):
        for number in range(4):
            place = tmp_path / f"{kind}-{number}"
            place.mkdir()
            model = KINDS[kind](place)
            what = damage(place, np.random.default_rng([number, 5]))
            ends.add(found := fate(model, clip))
            assert found in ("works", "one line"), (kind, what, found)
    assert "one line" in ends
