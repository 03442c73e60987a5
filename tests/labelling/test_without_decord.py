"""On a machine without decord everything decodes with PyAV; labelling does so anyway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_core.errors import UsageError
from emotion_core.preprocessing.job import Preprocessing
from tests.support.jobs import ROOT, environment
from tests.support.labelling import untrained
from tests.support.media_clips import write_clip
from tests.support.small_recipes import small

# Found instead of the real one; whoever tries to import it leaves a mark.
TRAP = """
import pathlib
pathlib.Path({mark!r}).touch()
raise ImportError("there is no decord here")
"""
SCRIPT = """
import sys
from pathlib import Path

if __name__ == "__main__":  # the decoder's child reads this file too
    from emotion_core.labelling.report.thumbnails import Thumbnails
    from emotion_core.labelling.rows import segment_rows, video_rows
    from emotion_core.labelling.step import LabelOptions
    from emotion_core.preprocessing.decode import DecodeStep
    from tests.support.labelling import LABELS, OneFace, step, work_on

    model, clip, mark = map(Path, sys.argv[1:])
    labeller = step(model, options=LabelOptions(any_sound=True), detector=OneFace())
    (done,) = labeller([work_on(clip)])
    labeller.decoder.close()
    videos, segments = video_rows([done], LABELS), segment_rows([done], LABELS, "m")
    with Thumbnails() as thumbnails:
        pictures = thumbnails.of(videos.to_pylist()[0], segments, 4)
    print(done.decoder, len(done.segments), len(pictures), mark.exists())
    decoding = DecodeStep(None, labeller.views[0], "auto", 60.0)
    (done,) = decoding([work_on(clip)])
    decoding.decoder.close()
    print("preprocess:", done.decoder, len(done.media.frames), mark.exists())
"""


def test_asking_for_decord_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    Preprocessing(small("timedist-blstm")).check()
    with pytest.raises(UsageError, match="--decoder decord: the package decord is not installed"):
        Preprocessing(small("timedist-blstm"), decoder="decord").check()


def test_without_decord_videos_are_labelled_and_have_thumbnails(tmp_path: Path) -> None:
    mark, trap = tmp_path / "somebody imported it", tmp_path / "trap"
    trap.mkdir()
    (trap / "decord.py").write_text(TRAP.format(mark=str(mark)))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    model = untrained(tmp_path / "model", recipe=small("timedist-blstm"))
    clip = write_clip(tmp_path / "a.mp4", frames=100, faint=True)
    done = subprocess.run(
        [sys.executable, str(script), str(model), str(clip), str(mark)],
        env=environment(PYTHONPATH=os.pathsep.join([str(trap), str(ROOT)])),
        capture_output=True,
        text=True,
        timeout=300,
    )
    # preprocess would have liked decord: the trap works
    told = ["pyav 1 1 False", "preprocess: pyav 6 True"]
    assert done.stdout.splitlines() == told, done.stderr
