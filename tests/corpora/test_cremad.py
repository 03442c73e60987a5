"""CREMA-D: names as published, in every layout, and the crowd's votes."""

from pathlib import Path

import pytest

from emotion_core.clips.clip import manifest_table
from emotion_core.corpora import scan
from emotion_core.corpora.protocols import CREMAD5, PROTOCOLS
from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS
from tests.support.votes import write_votes


def touch(root: Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return str(root)


LAYOUT = (
    "VideoFlash/1001_DFA_ANG_XX.flv",
    "AudioWAV/1001_DFA_ANG_XX.wav",
    "AudioMP3/1001_DFA_ANG_XX.mp3",
    "AudioWAV/1002_IEO_HAP_LO.wav",
    "AudioMP3/1002_IEO_HAP_LO.mp3",
    "AudioMP3/1091_WSI_NEU_XX.mp3",
    "1050_IEO_NEU_XX.mp4",
)


def test_an_utterance_is_taken_once_in_its_richest_form(tmp_path: Path) -> None:
    found = scan("cremad", touch(tmp_path, *LAYOUT))

    assert [
        (c.uri.rsplit("/", 2)[-2:], c.speaker, c.emotion, c.intensity, c.statement, c.modality)
        for c in found.clips
    ] == [
        ([tmp_path.name, "1050_IEO_NEU_XX.mp4"], "1050", "neutral", None, "IEO", "audio-visual"),
        (["AudioMP3", "1091_WSI_NEU_XX.mp3"], "1091", "neutral", None, "WSI", "audio"),
        (["AudioWAV", "1002_IEO_HAP_LO.wav"], "1002", "happy", "low", "IEO", "audio"),
        (["VideoFlash", "1001_DFA_ANG_XX.flv"], "1001", "angry", None, "DFA", "audio-visual"),
    ]
    assert {(c.corpus, c.channel) for c in found.clips} == {("cremad", "speech")}
    assert (found.duplicates, found.unparsed, found.left_out) == (3, [], {})
    sound = scan("cremad", str(tmp_path), "audio")
    assert [c.uri.rsplit("/", 1)[-1] for c in sound.clips] == [
        "1091_WSI_NEU_XX.mp3", "1001_DFA_ANG_XX.wav", "1002_IEO_HAP_LO.wav",
    ]  # fmt: skip


def test_names_outside_the_published_rules_are_not_guessed(tmp_path: Path) -> None:
    names = (
        "1000_DFA_ANG_XX.wav",
        "1092_DFA_ANG_XX.wav",
        "1001_XYZ_ANG_XX.wav",
        "1001_DFA_SUR_XX.wav",
        "1001_DFA_ANG_HI.wav",  # levels belong to one sentence
        "1001_IEO_ANG_XX.wav",
        "1001_IEO_NEU_HI.wav",  # and to an emotion
        "1001_DFA_ANG_XX_cut.wav",
    )
    found = scan("cremad", touch(tmp_path, *names, "1001_IEO_SAD_MD.wav"))

    assert [c.intensity for c in found.clips] == ["medium"]
    assert sorted(uri.rsplit("/", 1)[-1] for uri in found.unparsed) == sorted(names)


def test_votes_are_counted_by_what_was_seen_and_heard(tmp_path: Path) -> None:
    root = touch(tmp_path, *LAYOUT)
    write_votes(
        tmp_path / "docs" / "finishedResponses.csv",
        {
            ("1001_DFA_ANG_XX", 1): "AAD",
            ("1001_DFA_ANG_XX", 3): "AAAN",
            ("1002_IEO_HAP_LO", 2): "H",
            ("1007_DFA_ANG_XX", 1): "S",  # a clip that is not here
            ("1002_IEO_HAP_LO", 1): "X",  # no emotion of theirs
        },
    )

    found = scan("cremad", root)

    table = manifest_table(found.clips)
    rows = {row["uri"].rsplit("/", 1)[-1]: row for row in table.to_pylist()}
    angry = rows["1001_DFA_ANG_XX.flv"]
    assert dict(zip(EMOTIONS, angry["votes_audio"], strict=True)) == {
        **dict.fromkeys(EMOTIONS, 0), "angry": 2, "disgust": 1,
    }  # fmt: skip
    assert angry["votes_audio_visual"][EMOTIONS.index("angry")] == 3
    assert sum(angry["votes_audio_visual"]) == 4 and angry["votes_face"] is None
    assert sum(rows["1002_IEO_HAP_LO.wav"]["votes_face"]) == 1
    assert rows["1002_IEO_HAP_LO.wav"]["votes_audio"] is None
    assert rows["1091_WSI_NEU_XX.mp3"]["votes_audio"] is None
    assert list(found.left_out.values()) == [1]


@pytest.mark.parametrize("text", ["version https://git-lfs.github.com/spec/v1\noid x\n", ""])
def test_votes_that_are_none_are_told(tmp_path: Path, text: str) -> None:
    root = touch(tmp_path, *LAYOUT)
    (tmp_path / "finishedResponses.csv").write_text(text)
    with pytest.raises(UsageError, match=r"finishedResponses.csv: no CSV file .*git lfs pull"):
        scan("cremad", root)


def test_the_folds_test_every_actor_once() -> None:
    tested = [actor for sides in PROTOCOLS["cremad5"] for actor in sides.test]
    assert sorted(tested) == [str(actor) for actor in range(1001, 1092)]
    assert CREMAD5[0][:3] == ("1001", "1006", "1011") and CREMAD5[4][-1] == "1090"
    for sides in PROTOCOLS["cremad5"]:
        assert len(sides.validation) == 9 and len(sides.test) in (18, 19)
        everybody = [*sides.train, *sides.validation, *sides.test]
        assert sorted(everybody) == sorted(tested)
