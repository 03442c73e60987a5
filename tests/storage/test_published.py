"""Published tables hold each clip's rows once, after every single call to the store."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.errors import UsageError
from emotion_core.storage import published
from emotion_core.storage.parts import INDEX, keeping, part_name, parts, read_index
from emotion_core.storage.published import CHANGED, Published
from tests.support.published_tables import (
    EACH,
    VIDEOS,
    check_seen,
    holds,
    manifest,
    rows_of,
    run,
    seen,
    tables,
)


@pytest.fixture(
    params=["disk", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rclone", "moto"))]
)
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder on a disk, and in two S3 servers of different make."""
    if request.param == "disk":
        return str(tmp_path / "out")
    return f"{request.getfixturevalue(f's3_{request.param}')}/out"


@pytest.fixture
def disk(tmp_path: Path) -> str:
    return str(tmp_path / "out")


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


@pytest.fixture
def each_call(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has a function called before every call that changes the store."""

    def set_hook(hook: Callable[[], None]) -> None:
        for name in ("write_parquet", "remove"):
            real = getattr(storage, name)

            def hooked(*arguments: object, real: Callable = real) -> None:
                hook()
                real(*arguments)

            monkeypatch.setattr(published, name, hooked)

    return set_hook


BEFORE = {"a": "1", "b": "1", "c": "1", "d": "1"}
CHANGES = {
    "new": ({**BEFORE, "e": "1"}, False),
    "changed": ({**BEFORE, "b": "2", "d": "2", "e": "1", "f": "1", "g": "1"}, False),
    "pruned": ({"b": "1", "e": "1"}, True),
    "pruned and changed": ({"a": "1", "d": "2", "e": "1"}, True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_killed_at_every_call_a_reader_sees_each_row_once_and_a_repeat_ends_it(
    out: str, change: str, each_call: Callable
) -> None:
    """The number of files changes under it, too."""
    after, prune = CHANGES[change]
    on_disk = "://" not in out
    for limit in itertools.count():
        here = f"{out}-{limit}"
        held, left = tables(here), [limit]
        each_call(lambda: None)
        run(held, manifest(**BEFORE))

        def step(here: str = here, left: list[int] = left) -> None:
            if on_disk:  # the check after the kill sees each of these states, too
                check_seen(here)
            if not left[0]:
                raise Killed
            left[0] -= 1

        each_call(step)
        with suppress(Killed):
            run(held, manifest(**after), prune=prune)
            break
        check_seen(here)
        each_call(lambda here=here: check_seen(here) if on_disk else None)
        run(held, manifest(**after), prune=prune)
        holds(here, **after)
        assert not storage.exists(f"{here}/{CHANGED}") or not parts(f"{here}/{CHANGED}/videos")
    assert limit > {"new": 1, "changed": 8}.get(change, 4)
    holds(here, **after)


@pytest.mark.parametrize("change", CHANGES)
def test_killed_and_then_asked_for_something_else(
    disk: str, change: str, each_call: Callable
) -> None:
    after, prune = CHANGES[change]
    other = {**BEFORE, **after, "c": "3", "h": "1"}
    for limit in itertools.count():
        here, left = f"{disk}-{limit}", [limit]
        each_call(lambda: None)
        run(tables(here), manifest(**BEFORE))

        def step(left: list[int] = left) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1

        each_call(step)
        with suppress(Killed):
            run(tables(here), manifest(**after), prune=prune)
            break
        each_call(lambda here=here: check_seen(here))
        run(tables(here), manifest(**other))
        holds(here, **other)


def test_a_reader_counts_all_the_time(out: str) -> None:
    """Jobs change the tables while somebody reads them: what is read is right, or fails."""
    run(tables(out), manifest(**BEFORE))
    lasting = {f"/a/{name}.mp4" for name in BEFORE}
    done, wrong, reads = threading.Event(), [], [0]

    def read() -> None:
        while not done.is_set():
            try:
                videos, segments, _ = seen(out)
            except UsageError:
                continue  # a file went between the listing and its reading
            reads[0] += 1
            # one table after the other: what is pruned meanwhile may be in the first one only
            whole = set(videos.values()) == {1} and set(segments.values()) == {EACH}
            if not (whole and lasting <= set(videos) and lasting <= set(segments)):
                wrong.append((videos, segments))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        names = dict(BEFORE)
        for turn in range(6):
            names = {**names, "b": f"2.{turn}", f"new{turn}": "1"}
            names.pop(f"new{turn - 2}", None)
            run(tables(out), manifest(**names), prune=True)
    finally:
        done.set()
        reader.join()
    assert wrong == [] and reads[0] > 0
    holds(out, **names)


def test_finished_videos_are_read_while_others_are_worked_on(disk: str) -> None:
    read: list[int] = []
    held = tables(disk)

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        for start in range(len(pending)):
            held.write(*rows_of(pending.slice(start, 1)), changed)
            check_seen(disk)
            read.append(len(seen(disk)[0]))

    held.fill(manifest(**BEFORE), work)
    assert read == [1, 2, 3, 4]


def table_files(out: str) -> dict[str, str]:
    files = (storage.list_files(f"{out}/{name}") for name in ("videos", "segments"))
    return {file.uri: file.version for some in files for file in some}


def test_an_archive_that_grew_by_one_video_writes_one_small_file_a_table(out: str) -> None:
    run(tables(out), manifest(**BEFORE))
    before = table_files(out)
    assert run(tables(out), manifest(**BEFORE, e="1")) == ["e"]
    after = table_files(out)
    new = sorted(set(after) - set(before))
    assert [uri.split("/")[-2] for uri in new] == ["segments", "videos"]
    assert {uri: after[uri] for uri in before} == before
    assert run(tables(out), manifest(**BEFORE, e="1")) == []
    assert table_files(out) == after


def test_a_changed_video_stays_in_its_file_and_its_neighbours_keep_their_rows(out: str) -> None:
    run(tables(out), manifest(**BEFORE))
    files = parts(f"{out}/videos")
    assert run(tables(out), manifest(**{**BEFORE, "b": "2"})) == ["b"]
    assert parts(f"{out}/videos") == files
    holds(out, **{**BEFORE, "b": "2"})
    for uri in files:
        assert storage.read_parquet([uri]).schema.metadata == {b"schema_version": b"x"}


def test_narrowing_is_refused_unless_asked_for(disk: str) -> None:
    run(tables(disk), manifest(**BEFORE))
    before = {file.uri: file.version for file in storage.list_files(disk)}
    with pytest.raises(UsageError, match=r"holds 3 clips .* such as /a/.\.mp4: pass --prune"):
        run(tables(disk), manifest(a="1"))
    assert {file.uri: file.version for file in storage.list_files(disk)} == before
    assert run(tables(disk), manifest(a="1"), prune=True) == []
    holds(disk, a="1")


def test_an_index_of_files_that_differ_in_their_columns(tmp_path: Path) -> None:
    """Only some have members, one is empty, and counts are of two widths."""
    row = {"clip_id": ["a"], "uri": ["/a"], "status": ["ok"], "reasons": [[]], "n": [2]}
    other = {"clip_id": ["b"], "uri": ["/b"], "status": ["failed"], "reasons": [["gone"]]}
    plain = pa.table(row)
    made = plain.cast(plain.schema.set(3, pa.field("reasons", pa.list_(pa.string()))))
    narrow = pa.table({**other, "n": pa.array([3], pa.int32()), "member": ["t=0.000"]})
    for name, table in (("1", made), ("2", narrow), ("3", made.slice(0, 0))):
        storage.write_parquet(str(tmp_path / f"{name}.parquet"), table)
    index = read_index(str(tmp_path), "n").to_pydict()
    assert index["file"] == ["1.parquet", "2.parquet"] and index["clip_id"] == ["a", "b"]
    assert index["identity"] == ["/a", "/b\nt=0.000"] and index["n_details"] == [2, 3]
    assert index["again"] == [False, True]
    assert len(read_index(str(tmp_path / "nothing"))) == 0


def test_the_members_of_one_file_are_clips_of_their_own(disk: str) -> None:
    schema = VIDEOS.append(pa.field("member", pa.string()))
    held = Published(disk, "features")

    def fill(*members: str, prune: bool = False) -> None:
        wanted = manifest_table([Clip("/a/fer.csv", 9, "1", member=each) for each in members])

        def work(pending: pa.Table, changed: frozenset[str]) -> None:
            assert not changed
            rows = rows_of(pending)[0].append_column("member", pending["member"])
            held.write(rows.cast(schema), None, changed)

        held.fill(wanted, work, prune=prune)

    fill("bytes=0-5", "bytes=5-9")
    with pytest.raises(UsageError, match="holds 1 clips"):
        fill("bytes=0-5")
    fill("bytes=0-5", "bytes=9-12", prune=True)
    rows = held.rows(["member"])
    assert rows is not None
    assert sorted(rows["member"].to_pylist()) == ["bytes=0-5", "bytes=9-12"]


def test_failed_clips_are_tried_again_on_request(disk: str) -> None:
    run(tables(disk), manifest(**BEFORE), failing="b c")
    assert run(tables(disk), manifest(**BEFORE)) == []
    assert run(tables(disk), manifest(**BEFORE), retry=True, failing="c") == ["b", "c"]
    assert run(tables(disk), manifest(**BEFORE), retry=True) == ["c"]
    holds(disk, **BEFORE)


@pytest.mark.parametrize("reason", ["timeout", "crash", "gone", "no_audio"])
def test_what_was_left_out_for_the_moment_is_tried_again(disk: str, reason: str) -> None:
    wanted = manifest(a="1", b="1")
    videos, segments = rows_of(wanted)
    reasons = pa.array([["no_face", reason], []], pa.list_(pa.string()))
    videos = videos.set_column(4, VIDEOS.field("reasons"), reasons)
    tables(disk).write(videos, segments)
    todo, changed = tables(disk).pending(tables(disk).index(), wanted, retry_failed=True)
    assert [Path(uri).stem for uri in todo["uri"].to_pylist()] == ["a"] * (reason != "no_audio")
    assert changed == set(todo["clip_id"].to_pylist())


def test_a_retry_that_was_killed_does_not_begin_again(disk: str) -> None:
    run(tables(disk), manifest(**BEFORE), failing="a b c d")

    def killed(pending: pa.Table, changed: frozenset[str]) -> None:
        tables(disk).write(*rows_of(pending.slice(0, 3)), changed)
        raise Killed

    with pytest.raises(Killed):
        tables(disk).fill(manifest(**BEFORE), killed, retry_failed=True)
    check_seen(disk, failing="a b c d")
    assert len(tables(disk).pending(tables(disk).index(), manifest(**BEFORE), True)[0]) == 1
    assert len(run(tables(disk), manifest(**BEFORE), retry=True)) == 1
    holds(disk, **BEFORE)


def test_work_repeated_by_ray_is_written_once(disk: str) -> None:
    rows = rows_of(manifest(**BEFORE))
    tables(disk).write(*rows)
    tables(disk).write(*(table.take(pa.array(range(len(table))[::-1])) for table in rows))
    assert len(parts(f"{disk}/videos")) == len(parts(f"{disk}/segments")) == 1
    holds(disk, **BEFORE)


def test_segments_that_were_lost_are_made_again(disk: str) -> None:
    """Whatever happened to a file from outside, no video ends without the segments it promises."""
    run(tables(disk), manifest(**BEFORE))
    first, second = (Path(uri) for uri in parts(f"{disk}/segments"))
    lost = sorted(Path(uri).stem for uri in set(pq.read_table(first)["uri"].to_pylist()))
    cut = pq.read_table(second)
    pq.write_table(cut.slice(1), second)
    short = Path(cut["uri"][0].as_py()).stem
    first.unlink()
    assert run(tables(disk), manifest(**BEFORE)) == sorted([*lost, short])
    holds(disk, **BEFORE)


def test_rows_of_a_worker_that_outlived_its_job_do_not_count_twice(disk: str) -> None:
    run(tables(disk), manifest(**BEFORE))
    late = manifest(c="1", d="1", e="1")
    tables(disk).write(*rows_of(late))
    assert max(seen(disk)[0].values()) == 2
    assert run(tables(disk), manifest(**BEFORE, e="1")) == []
    holds(disk, **BEFORE, e="1")


def test_what_a_worker_that_outlived_its_job_left_waiting_is_no_obstacle(disk: str) -> None:
    """Rows that wait for their place without their segments, or twice."""
    run(tables(disk), manifest(**BEFORE))
    changed = manifest(**{**BEFORE, "a": "2", "b": "2"})
    late, ids = changed.slice(0, 2), frozenset(changed["clip_id"].to_pylist())
    tables(disk).write(*rows_of(late), ids)
    tables(disk).write(*rows_of(late.slice(0, 1)), ids)
    tables(disk).write(*rows_of(late.slice(1, 1)), ids)
    Path(parts(f"{disk}/{CHANGED}/segments")[0]).unlink()
    run(tables(disk), changed)
    holds(disk, **{**BEFORE, "a": "2", "b": "2"})
    assert not Path(disk, CHANGED).exists()


def test_a_lost_file_of_no_segments_is_no_loss(disk: str) -> None:
    run(tables(disk), manifest(a="1"), failing="a")
    Path(parts(f"{disk}/segments")[0]).unlink()
    assert run(tables(disk), manifest(a="1"), failing="a") == []


def test_a_job_that_does_less_than_it_says_ends_with_an_error(disk: str) -> None:
    def idle(pending: pa.Table, changed: frozenset[str]) -> None:
        tables(disk).write(*rows_of(pending.slice(1)), changed)

    with pytest.raises(RuntimeError, match="one row for each"):
        tables(disk).fill(manifest(**BEFORE), idle)

    def without_segments(pending: pa.Table, changed: frozenset[str]) -> None:
        videos, segments = rows_of(pending)
        tables(disk).write(videos, segments.slice(1), changed)

    with pytest.raises(RuntimeError, match="segments/part-.*does not hold the rows"):
        tables(disk).fill(manifest(**BEFORE), without_segments)


def test_what_a_kill_left_in_the_middle_of_a_file_goes(disk: str) -> None:
    run(tables(disk), manifest(a="1"))
    left = [Path(disk, name, ".0123.unfinished") for name in ("videos", "segments")]
    for file in left:
        file.write_bytes(b"half a table")
    Path(disk, "videos", ".keep").touch()  # a user's own
    assert run(tables(disk), manifest(a="1")) == []
    assert not any(file.exists() for file in left)
    assert Path(disk, "videos", ".keep").exists()


def test_the_name_of_a_part_depends_on_its_clips_and_not_on_their_order() -> None:
    assert part_name(["a", "b"]) == part_name(["b", "a"]) != part_name(["a"])


def test_changed_clips_come_last_and_in_the_order_of_their_files(disk: str) -> None:
    names = {f"v{number}": "1" for number in range(12)}
    run(tables(disk), manifest(**names), batch=3)
    wanted = manifest(**{**dict.fromkeys(names, "2"), "new": "1"})
    todo, changed = tables(disk).pending(tables(disk).index(), wanted)
    assert len(todo) == 13 and len(changed) == 12
    assert todo["uri"][0].as_py() == "/a/new.mp4"
    file_of = {
        row["uri"]: uri
        for uri in parts(f"{disk}/videos")
        for row in storage.read_parquet([uri]).to_pylist()
    }
    order = [file_of[uri] for uri in todo["uri"].to_pylist()[1:]]
    assert order == sorted(order)
    assert pc.all(pc.is_in(todo["clip_id"][1:], value_set=pa.array(sorted(changed)))).as_py()


@pytest.fixture
def s3_rclone(s3_env) -> str:
    return s3_env.new_bucket()


@pytest.fixture
def s3_moto(moto_server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from tests.support.s3 import _pointing_at

    with _pointing_at(moto_server, monkeypatch):
        yield moto_server.new_bucket()


def test_a_folder_that_cannot_be_read_within_another_keeps_its_rows_once() -> None:
    given = manifest_table([Clip(uri, 0, storage.UNREADABLE) for uri in ("/a/", "/a/b/")])
    uris = ["/a/b/x.mp4", "/a/y.mp4"]
    held = pa.Table.from_pylist(
        [{"clip_id": uri, "uri": uri, "identity": uri} for uri in uris], schema=INDEX
    )
    assert keeping(held, given)["uri"].to_pylist() == ["/a/", "/a/b/", *uris]
