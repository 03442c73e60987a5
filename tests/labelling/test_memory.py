"""A long video costs the memory of a short one."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.jobs import ROOT, environment
from tests.support.labelling import untrained
from tests.support.small_recipes import small

WIDTH, HEIGHT, FPS, RATE = 640, 360, 4, 16000

# Run in a process of its own, so that its peaks are those of this one video.
SCRIPT = """
import json, resource, sys
from pathlib import Path
from emotion_core.models.bundle import load_bundle
from emotion_core.labelling.step import LabelStep, LabelOptions
from tests.support.labelling import OneFace, work_on

if __name__ == "__main__":
    model, video = sys.argv[1:]
    step = LabelStep([load_bundle(model)], OneFace(), LabelOptions(fps=4.0, any_sound=True))
    (done,) = step([work_on(Path(video))])
    step.decoder.close()
    peaks = [resource.getrusage(who).ru_maxrss / 1024
             for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([done.outcome.status, len(done.segments), done.duration_s, *peaks]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"), recipe=small("timedist-blstm"))


def film(path: Path, seconds: int) -> Path:
    """A moving picture with a tone, both in one file, a second of each after the other."""
    rng = np.random.default_rng(1)
    scene = rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    tone = (0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)).astype(np.float32)
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mpeg4", rate=FPS)
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        voice = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for second in range(seconds):
            for number in range(FPS):
                shifted = np.roll(scene, 2 * number, axis=1)
                frame = av.VideoFrame.from_ndarray(shifted, format="rgb24")
                frame.pts, frame.time_base = second * FPS + number, Fraction(1, FPS)
                out.mux(picture.encode(frame))
            sound = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16)[None], "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = RATE, second * RATE, Fraction(1, RATE)
            out.mux(voice.encode(sound))
        out.mux(picture.encode(None))
        out.mux(voice.encode(None))
    return path


def peaks(model: Path, video: Path, script: Path) -> tuple[float, float]:
    """Highest resident memory in MB of the labelling process and of its decoder."""
    done = subprocess.run(
        [sys.executable, str(script), str(model), str(video)],
        env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, segments, duration_s, ours, decoders = json.loads(done.stdout.splitlines()[-1])
    assert status == "ok"
    assert segments == round(duration_s / 2) - 1
    return ours, decoders


def test_memory_does_not_grow_with_length(model: Path, tmp_path: Path) -> None:
    """All pictures of the three minutes that one is longer than the other would be 500 MB."""
    script = tmp_path / "measure.py"
    script.write_text(SCRIPT)
    short = peaks(model, film(tmp_path / "short.mkv", 60), script)
    long = peaks(model, film(tmp_path / "long.mkv", 240), script)
    print(short, long)
    growth = [after - before for before, after in zip(short, long, strict=True)]
    assert max(growth) < 40, (short, long)
