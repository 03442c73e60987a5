"""A corrected label reaches features that are there, though the clip and its file are the same."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, VotedClip, manifest_table
from emotion_core.preprocessing import job
from emotion_core.preprocessing.described import describe_anew
from emotion_core.preprocessing.job import Preprocessing, preprocess
from emotion_core.storage.parts import read_parts
from emotion_core.storage.schemas import VOTES
from tests.support.synthetic_features import row, write_features

SAD, SAME = (
    Clip(f"/a/{name}.wav", 1, "v", member, "m", "x", "sad", modality="audio")
    for name, member in (("a", "t=0.000,1.000"), ("b", None))
)
HAPPY = VotedClip(SAD.uri, 1, "v", SAD.member, "m", "anna", "happy", modality="audio",
                  votes_audio=(0, 0, 3, 0, 0, 0, 0, 0))  # fmt: skip


def test_a_corrected_label_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_features(tmp_path / "features", [row(SAD, audio=None), row(SAME, audio=None)])
    monkeypatch.setattr(job, "connect", lambda: pytest.fail("nothing is to be decoded"))
    corrected = manifest_table([HAPPY, SAME])
    rows, done = preprocess(corrected, Preprocessing("voice-small"), out, lambda pending: None)
    assert (len(rows), done) == (2, 0)
    told = read_parts(f"{out}/features", ["emotion", "speaker", "votes_audio"])
    assert told is not None and told.to_pylist() == [
        {"emotion": "happy", "speaker": "anna", "votes_audio": list(HAPPY.votes_audio)},
        {"emotion": "sad", "speaker": "x", "votes_audio": None},
    ]
    assert describe_anew(f"{out}/features", corrected, storage.unclaimed) == 0


def test_features_without_votes_get_them(tmp_path: Path) -> None:
    out = write_features(tmp_path / "features", [row(SAD, audio=None)])
    (file,) = (tmp_path / "features" / "features").iterdir()
    held = pq.read_table(file)
    pq.write_table(held.drop_columns([field.name for field in VOTES]), file)
    assert describe_anew(f"{out}/features", manifest_table([HAPPY]), storage.unclaimed) == 1
    (now,) = pq.read_table(file).to_pylist()
    assert now["votes_audio"] == list(HAPPY.votes_audio) and now["votes_face"] is None
    before = held.to_pylist()[0]
    assert {k: v for k, v in now.items() if before[k] != v}.keys() == {
        "emotion", "speaker", "votes_audio",
    }  # fmt: skip
