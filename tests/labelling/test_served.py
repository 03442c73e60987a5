"""Models and detector at a server: workers get the answers that they would give themselves."""

import asyncio
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_core import storage
from emotion_core.faces.following import FaceFollower, Following
from emotion_core.faces.types import Detections
from emotion_core.labelling import placing
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.job import label
from emotion_core.labelling.served import ModelServer, stand_ins
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.sound.pretrained import resolve
from emotion_core.storage.parts import read_parts
from tests.support.encoders import spec_of, write_whisper
from tests.support.foreign import colour_network
from tests.support.labelling import OneFace, manifest, quiet, untrained, work_on
from tests.support.media_clips import write_clip
from tests.support.small_recipes import small

ANY_SOUND = LabelOptions(any_sound=True)


class Direct:
    """Asks a server in this process, through what Ray would send."""

    def __init__(self, server: ModelServer):
        self.server, self.asked = server, list[str]()
        self.about = pickle.loads(pickle.dumps(server.about()))

    def ask(self, what: str, load: Any) -> Any:
        self.asked.append(what)
        load = pickle.loads(pickle.dumps(load))
        return pickle.loads(pickle.dumps(asyncio.run(self.server.answer(what, load))))


def labelled(how: Labelling, paths: list[Path], direct: Direct | None) -> list[Any]:
    step = how.step()
    if direct is not None:
        members, detector = stand_ins(direct)  # type: ignore[arg-type]
        step = LabelStep(members, detector, how.options)
    done = step([work_on(path) for path in paths])
    step.decoder.close()
    return [(work.outcome, work.n_tracks, [vars(s) for s in work.segments]) for work in done]


def _told(row: dict[str, Any]) -> str:
    """A row but for the time that it took."""
    return repr({name: value for name, value in row.items() if name != "processing_s"})


def test_labels_are_those_of_models_of_ones_own(demo: Path) -> None:
    how = Labelling(("voice", "face"), ANY_SOUND)
    paths = sorted(path for path in (demo / "wild").rglob("*") if path.is_file())
    direct = Direct(placing.model_server(how, "cpu"))

    here, there = labelled(how, paths, None), labelled(how, paths, direct)

    assert repr(here) == repr(there)
    assert sum(len(segments) for _, _, segments in here) > 5
    assert set(direct.asked) == {"follow", "predict"}, "sound becomes features where it is decoded"
    assert direct.asked.count("follow") < 40, "once for a stretch of a video, not for each picture"


def test_an_encoder_is_the_servers(tmp_path: Path) -> None:
    recipe = small("voice-encoder")
    audio = resolve(spec_of(write_whisper(tmp_path / "encoder")))
    recipe = replace(recipe, audio=audio)
    how = Labelling((str(untrained(tmp_path / "model", ("audio",), recipe)),), ANY_SOUND)
    clip = write_clip(tmp_path / "a.mp4", frames=50)
    direct = Direct(placing.model_server(how, "cpu"))
    assert repr(labelled(how, [clip], None)) == repr(labelled(how, [clip], direct))
    assert "features" in direct.asked


def test_dimensions_come_from_a_server_too(demo: Path, tmp_path: Path) -> None:
    scale = {"valence": {"column": 0, "range": [0, 1]}}
    only = f"onnx:{colour_network(tmp_path, [], dimensions=scale)}"
    how = Labelling(("face", only), ANY_SOUND)
    (path,) = [path for path in (demo / "wild").rglob("*") if path.name == "mood change.mp4"]
    direct = Direct(placing.model_server(how, "cpu"))

    here, there = labelled(how, [path], None), labelled(how, [path], direct)

    assert repr(here) == repr(there) and "told" in direct.asked
    assert any(s["dimensions"] is not None and s["dimensions"] > -1 for s in here[0][2])


class Counts(OneFace):
    """Counts the pictures of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def detect(self, images: np.ndarray) -> list[Detections]:
        self.calls.append(len(images))
        return super().detect(images)


def everything(faces: Detections) -> np.ndarray:
    return np.ones(len(faces.boxes), bool)


def test_videos_are_followed_together_and_each_as_if_alone() -> None:
    random = np.random.default_rng(0)
    videos = [random.integers(0, 255, (20, 240, 320, 3), np.uint8) for _ in range(4)]
    times, cuts = [n / 5 for n in range(20)], [False] * 20
    alone = [FaceFollower(OneFace(), everything).detect(v, times, cuts) for v in videos]
    detector = Counts()
    server = ModelServer([], detector, whole=False)

    async def ask() -> list[Any]:
        loads = [(everything, 1.0, Following(), video, times, cuts) for video in videos]
        return await asyncio.gather(*(server.answer("follow", load) for load in loads))

    together = [found for found, _ in asyncio.run(ask())]

    assert repr(together) == repr(alone)
    questions = sum(1 for _ in alone for _ in range(1 + 16))  # whole ones at once, then one by one
    assert len(detector.calls) <= questions / 3


def test_a_job_with_servers_writes_what_one_without_writes(
    ray_with_a_made_up_gpu: None, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Labelling(("voice", "face"), ANY_SOUND)
    tables = {}
    for name, servers in (("with", True), ("without", False)):
        out = str(tmp_path / name)
        storage.start_output(out, "labels", how.settings())
        monkeypatch.setattr(placing, "DEVICE", "cpu")  # the GPU is made up
        if not servers:
            monkeypatch.setattr(placing, "count_servers", lambda reach, inputs: 0)
            monkeypatch.setattr(placing, "GPU_SHARE", 0)
            monkeypatch.setattr("emotion_core.labelling.step._on_gpu", lambda make: make("cpu"))
        label(manifest(demo / "wild"), how, out, quiet)
        found = [read_parts(f"{out}/{table}") for table in ("videos", "segments")]
        tables[name] = [sorted(map(_told, table.to_pylist())) for table in found if table]
    assert tables["with"] == tables["without"] and len(tables["with"][0]) == 8
