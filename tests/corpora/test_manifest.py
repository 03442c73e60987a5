"""A corpus of one's own: a table of files, labels and speakers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_core.clips.clip import manifest_table
from emotion_core.corpora import scan_all
from emotion_core.corpora.splits import assign_split
from emotion_core.errors import UsageError


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def scan(folder: Path, text: str, name: str = "mine.csv", encoding: str = "utf-8"):
    (folder / name).write_text(text, encoding)
    (found,) = scan_all([f"manifest={folder / name}"])
    return found


def test_files_labels_and_speakers(tmp_path: Path) -> None:
    files(tmp_path, "b/two.mp4", "one.wav", "three.jpg", "four.wav")
    found = scan(
        tmp_path,
        "Path,Label,Speaker,corpus\n"
        "b/two.mp4,Happiness,anna,\n"
        f"{tmp_path}/one.wav,sad,Ben,interviews\n"
        "three.jpg,ANGRY,,\n"
        "four.wav,bored,anna,\n",
    )
    told = [(c.uri.rsplit("/", 1)[-1], c.corpus, c.speaker, c.emotion, c.modality)
            for c in found.clips]  # fmt: skip
    assert told == [
        ("two.mp4", "manifest", "anna", "happy", "audio-visual"),
        ("one.wav", "interviews", "Ben", "sad", "audio"),
        ("three.jpg", "manifest", None, "angry", "image"),
    ]
    assert found.unparsed == [str(tmp_path / "four.wav")], "no label is guessed"


def test_speakers_are_kept_apart(tmp_path: Path) -> None:
    names = [f"{who}-{n}.wav" for who in ("a", "b", "c", "d") for n in range(3)]
    files(tmp_path, *names)
    lines = [f"{name},{('sad', 'happy', 'angry')[i % 3]},{name[0]}" for i, name in enumerate(names)]
    found = scan(tmp_path, "\n".join(["path,label,speaker", *lines]))
    table = manifest_table(found.clips)
    sides = assign_split("loso:manifest/a", table)
    who = {side: {s for s, at in zip(table["speaker"].to_pylist(), sides, strict=True)
                  if at == side} for side in ("train", "validation", "test")}  # fmt: skip
    assert who["test"] == {"a"} and len(who["validation"]) == 1
    assert who["train"] | who["validation"] == {"b", "c", "d"}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_as_spreadsheets_write_it(tmp_path: Path, delimiter: str) -> None:
    files(tmp_path, "ein, zwei.wav")
    text = delimiter.join(("emotion", "uri")) + "\r\n" + delimiter.join(("sad", "ein, zwei.wav"))
    (clip,) = scan(tmp_path, text + "\r\n", encoding="utf-8-sig").clips
    assert (clip.emotion, clip.speaker) == ("sad", None)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    files(tmp_path, "x.wav", "y.wav")
    with pytest.raises(UsageError, match="line 5: .*gone"):
        scan(tmp_path, 'path,label,statement\nx.wav,sad,"two\nlines"\n\ngone.wav,sad,\n')


def test_a_table_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    files(tmp_path, "x.wav")
    with pytest.raises(UsageError, match="line 2: a name that is not UTF-8: save the table as"):
        scan(tmp_path, "path,label,speaker\nx.wav,sad,José\n", encoding="latin-1")


def test_numbers_and_nothing_in_parquet(tmp_path: Path) -> None:
    files(tmp_path, "x.wav", "y.wav")
    table = pa.table({" Path": [b"x.wav", b"y.wav"], "label": ["sad", "sad"],
                      "speaker": [3.0, float("nan")]})  # fmt: skip
    pq.write_table(table, tmp_path / "mine.parquet")
    (found,) = scan_all([f"manifest={tmp_path / 'mine.parquet'}"])
    assert [clip.speaker for clip in found.clips] == ["3", None]


def test_parquet(tmp_path: Path) -> None:
    files(tmp_path, "x.wav")
    table = pa.table({"path": ["x.wav"], "emotion": ["disgust"], "speaker": [7]})
    pq.write_table(table, tmp_path / "mine.parquet")
    (found,) = scan_all([f"manifest={tmp_path / 'mine.parquet'}"])
    assert (found.clips[0].emotion, found.clips[0].speaker) == ("disgust", "7")


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no table; looked for a CSV or Parquet file"):
        scan_all([f"manifest={tmp_path}"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,label\nx.wav,sad\n", "no column uri or path or url"),
        ("path,mood\nx.wav,sad\n", "no column label or emotion"),
        ("path,label\n", "no row in it"),
        ("path,label\nx.wav,sad\ngone.wav,sad\n", r"line 3: .*gone\.wav is no file"),
        ("path,label\nx.wav,sad\nx.wav,happy\n", "line 3: the file of line 2 again"),
        ("path,label\n ,sad\n", "line 2: no path"),
        ("path,label\nx.wav,bored\n", "none of 1 media files has a manifest name"),
        ("path,label\nhttps://a:b@c/x.wav,sad\n", "line 2"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(tmp_path: Path, text: str, told: str) -> None:
    files(tmp_path, "x.wav")
    with pytest.raises(UsageError, match=told) as caught:
        scan(tmp_path, text)
    assert "\n" not in str(caught.value) and "mine.csv" in str(caught.value)
    assert "a:b@" not in str(caught.value)
