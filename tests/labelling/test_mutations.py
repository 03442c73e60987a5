"""A thousand broken files through the steps of both jobs: each is one row that says what it was.

The steps run in this process, their decoders in children of it, as in a worker of either job: what
Ray adds is a queue, and starting it for a thousand files would take longer than the files.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotion_core.clips.work import ClipWork
from emotion_core.labelling.rows import segment_rows, video_rows
from emotion_core.labelling.step import LabelStep
from emotion_core.preprocessing.decode import DecodeStep
from emotion_core.preprocessing.faces import FaceStep
from emotion_core.preprocessing.rows import feature_rows
from emotion_core.preprocessing.sound import SoundStep
from emotion_core.storage.schemas import REASONS
from tests.support.containers import NAMES, write
from tests.support.labelling import LABELS, OneFace, step, untrained, work_on
from tests.support.mutations import mutants
from tests.support.small_recipes import small

COUNT = 1000
EXPECTED = set(REASONS) - {"error", "gone"}
# This process, for which models and libraries are loaded by then: what may come on top.
GROWTH_MB = 200


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two would wait for each other in every one of these small networks."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small file of every kind."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: write(name, folder, 3 if name == "dv.dv" else 15).read_bytes() for name in NAMES}


def preprocess() -> tuple[DecodeStep, FaceStep, SoundStep]:
    recipe = small("timedist-blstm")
    assert recipe.video is not None
    return (
        DecodeStep(recipe.audio, recipe.video, "auto", 20.0),
        FaceStep(recipe.video, OneFace()),
        SoundStep(recipe.audio),
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_thousand_broken_files_are_a_thousand_rows(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    model = untrained(tmp_path / "model", recipe=small("timedist-blstm"))
    labeller: LabelStep = step(model, detector=OneFace())
    decode, faces, sound = preprocess()

    def features(works: list[ClipWork]) -> list[ClipWork]:
        return sound(faces(decode(works)))

    tally: Counter[str] = Counter()
    settled_mb = 0.0
    for number, (name, data) in enumerate(mutants(whole, COUNT)):
        path = tmp_path / name
        path.write_bytes(data)
        for job in (labeller, features):
            (done,) = job([work_on(path)])
            if job is labeller:
                rows = video_rows([done], LABELS)
                assert segment_rows([done], LABELS, "m").num_rows == len(done.segments)
            else:
                rows = feature_rows([done])
            (row,) = rows.select(["status", "reasons", "error"]).to_pylist()
            assert set(row["reasons"]) <= EXPECTED, (name, row)
            assert (row["status"] == "ok") == (not row["reasons"]), (name, row)
            tally.update([row["status"], *row["reasons"]])
        path.unlink()
        if number == COUNT // 4:
            settled_mb = resident_mb()
    assert resident_mb() < settled_mb + GROWTH_MB
    assert tally["ok"] + tally["degraded"] + tally["failed"] == 2 * COUNT
    # broken in many ways: of each outcome there are some
    assert min(tally["ok"], tally["degraded"], tally["failed"]) > 100, tally
    assert tally["crash"] + tally["timeout"] < COUNT // 100, tally
    good = tmp_path / "h264.mp4"
    good.write_bytes(whole["h264.mp4"])
    for job in (labeller, features):
        (done,) = job([work_on(good)])
        # its tone is no speech
        assert set(done.outcome.reasons) <= {"no_speech"}, "no worker is lost for good"
    labeller.decoder.close()
    decode.decoder.close()
