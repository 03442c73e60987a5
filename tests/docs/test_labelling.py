"""What docs/labelling.md says is so: its queries run and are right, its tables are the schemas."""

import csv
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.models.bundle import load_bundle, save_bundle
from emotion_core.storage.parts import read_parts
from emotion_core.storage.schemas import NOTES, REASONS
from tests.support.jobs import ROOT, run_here
from tests.support.labelling import LABELS, untrained
from tests.support.s3 import S3Server

DOCUMENT = ROOT / "docs" / "labelling.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
CHANNELS = ("news", "talk")

Row = dict[str, Any]


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def title(query: str) -> str:
    """The first words of the comment that a query starts with."""
    return query.splitlines()[0].removeprefix("-- ").split(",")[0].split(":")[0]


QUERIES = {title(query): query for query in fences("sql")}


@dataclass(frozen=True)
class Labels:
    """What the job wrote: the folder that holds out/labels, and both tables as rows."""

    folder: Path
    videos: list[Row]
    segments: list[Row]

    @property
    def channels(self) -> dict[str, str]:
        """The channel of each video, as metadata.csv has it; the last video has none."""
        uris = sorted(row["uri"] for row in self.videos)[:-1]
        return {uri: CHANNELS[place % 2] for place, uri in enumerate(uris)}

    def seconds(self, key: Callable[[Row], Any]) -> dict[Any, float]:
        """The sum of ``labelled_s`` for each key."""
        sums: dict[Any, float] = defaultdict(float)
        for row in self.segments:
            sums[key(row)] += row["labelled_s"]
        return dict(sums)

    def trouble(self) -> Counter[tuple[str, str]]:
        return Counter((row["status"], why) for row in self.videos for why in row["reasons"])

    def angriest(self) -> list[tuple[str, float]]:
        """Mean of p_angry, each segment with its seconds; of videos with two of them at least."""
        found = []
        for uri, seconds in self.seconds(lambda row: row["uri"]).items():
            mine = [row for row in self.segments if row["uri"] == uri]
            if seconds >= 2:
                mean = sum(row["p_angry"] * row["labelled_s"] for row in mine) / seconds
                found.append((uri, mean))
        return sorted(found, key=lambda each: (-each[1], each[0]))


def opinionated(out: Path) -> Path:
    """A model whose weights are so large that it says this of one video and that of another."""
    bundle = load_bundle(str(untrained(out / "mild")))
    weights = {name: 3 * values for name, values in bundle.network.state_dict().items()}
    save_bundle(str(out), bundle.info, weights, {}, [], "# untrained")
    return out


@pytest.fixture(scope="module")
def labels(demo: Path, ray_one: None, tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """The job's output on every kind of video, where the document has it: out/labels."""
    folder = tmp_path_factory.mktemp("doc")
    out = folder / "out" / "labels"
    model = opinionated(folder / "model")
    job = ("--videos", demo / "wild", "--model", model, "--out", out, "--max-failed", 0.2)
    done = run_here("label", *job)
    assert done.returncode == 0, done.stderr
    tables = (read_parts(str(out / name)) for name in ("videos", "segments"))
    videos, segments = (table.to_pylist() for table in tables if table is not None)
    made = Labels(folder, videos, segments)
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "channel"])
        writer.writerows(made.channels.items())
    return made


@pytest.fixture
def here(labels: Labels, monkeypatch: pytest.MonkeyPatch) -> Labels:
    """The same, from the working directory that the document's paths are relative to."""
    monkeypatch.chdir(labels.folder)
    return labels


def near(value: float, digits: int = 3) -> Any:
    """What a query that rounds to so many digits may say."""
    return pytest.approx(value, abs=0.51 * 10**-digits)


def check_trouble(labels: Labels, rows: Sequence[tuple]) -> None:
    assert {(status, reason): count for status, reason, count, _ in rows} == labels.trouble()
    assert [count for _, _, count, _ in rows] == sorted(labels.trouble().values(), reverse=True)
    for status, reason, _, example in rows:
        alike = (r for r in labels.videos if r["status"] == status and reason in r["reasons"])
        assert example == min(row["uri"] for row in alike)


def check_emotions(labels: Labels, rows: Sequence[tuple]) -> None:
    seconds = labels.seconds(lambda row: row["emotion"])
    total = sum(seconds.values())
    assert total > 20 and len(seconds) > 1
    assert {row[0]: row[1] for row in rows} == {e: near(s, 1) for e, s in seconds.items()}
    assert {row[0]: row[2] for row in rows} == {
        e: near(100 * s / total, 1) for e, s in seconds.items()
    }
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    # the other table tells the same
    for label in LABELS:
        shares = [row["labelled_s"] * (row[f"share_{label}"] or 0) for row in labels.videos]
        assert sum(shares) == pytest.approx(seconds.get(label, 0.0))


def check_angriest(labels: Labels, rows: Sequence[tuple]) -> None:
    seconds = labels.seconds(lambda row: row["uri"])
    assert len(rows) > 4
    assert dict(row[:2] for row in rows) == {uri: near(mean) for uri, mean in labels.angriest()}
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    assert {row[0]: row[2] for row in rows} == {row[0]: near(seconds[row[0]], 1) for row in rows}


def check_timeline(labels: Labels, rows: Sequence[tuple]) -> None:
    mine = [
        row
        for row in labels.segments
        if row["uri"].endswith("/mood change.mp4") and row["track_id"] == 0
    ]
    said = [(row["start_s"], row["emotion"], row["modalities"]) for row in mine]
    assert [(start, emotion, rest) for start, _, emotion, _, rest in rows] == sorted(said)
    # every second once: each stretch ends where the next one begins
    assert [row[1] for row in rows[:-1]] == pytest.approx([row[0] for row in rows[1:]])
    assert (rows[0][0], rows[-1][1]) == (0.0, pytest.approx(12.0, abs=0.1))


def check_disagreement(labels: Labels, rows: Sequence[tuple]) -> None:
    distances = {}
    for row in labels.segments:
        if row["modalities"] == ["audio", "face"]:
            heard, seen = (
                np.array([row[f"{kind}_p_{label}"] for label in LABELS])
                for kind in ("audio", "face")
            )
            key = (row["uri"], row["track_id"], row["start_s"], row["end_s"])
            distances[key] = float(np.linalg.norm(heard - seen))
    assert 5 < len(distances) <= 20, "all of them fit"
    assert {row[:4]: row[4] for row in rows} == {key: near(d) for key, d in distances.items()}
    assert [row[4] for row in rows] == sorted((row[4] for row in rows), reverse=True)


def check_metadata(labels: Labels, rows: Sequence[tuple]) -> None:
    seconds = labels.seconds(lambda row: (labels.channels.get(row["uri"]), row["emotion"]))
    wanted = {key: near(value, 1) for key, value in seconds.items() if key[0] is not None}
    assert {row[:2]: row[2] for row in rows} == wanted
    assert {row[0] for row in rows} == set(CHANNELS)


CHECKS = {
    "what failed or was left out": check_trouble,
    "the archive's emotions": check_emotions,
    "the angriest videos": check_angriest,
    "one person's timeline": check_timeline,
    "where voice and face disagree most": check_disagreement,
    "emotions by what you know of the videos": check_metadata,
}


def test_every_query_has_a_check() -> None:
    assert list(QUERIES) == list(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_query_answers_what_it_says(name: str, here: Labels) -> None:
    rows = duckdb.execute(QUERIES[name]).fetchall()
    assert rows
    CHECKS[name](here, rows)


def test_the_queries_of_the_readme_find_something(here: Labels) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    queries = re.findall(r'duckdb\.sql\("""(.*?)"""\)', text, re.DOTALL)
    assert len(queries) == 2
    longest, trouble = (
        duckdb.execute(query.replace("out/demo/labels", "out/labels")).fetchall()
        for query in queries
    )
    assert len(longest) > 4 and all(seconds > 0 for _, _, _, seconds, _ in longest)
    assert len(trouble) >= 4
    assert len(here.videos) == 8 and "the demo's eight files" in text


def test_pandas_says_the_same(here: Labels) -> None:
    names: dict[str, Any] = {}
    tables, timeline, _ = fences("python")
    exec(tables, names)
    exec(timeline, names)
    assert names["trouble"].to_dict() == here.trouble()
    seconds = here.seconds(lambda row: row["emotion"])
    assert names["seconds"].to_dict() == pytest.approx(seconds)
    assert names["angriest"].to_dict() == pytest.approx(dict(here.angriest()), rel=1e-5)
    longest = max((r for r in here.videos if r["duration_s"]), key=lambda r: r["duration_s"])
    mine = [row for row in here.segments if row["uri"] == longest["uri"]]
    assert len(mine) == longest["n_segments"] > 0
    columns = ("track_id", "start_s", "labelled_s", "emotion", "confidence")
    found = names["timeline"].sort_values(["start_s", "track_id"])
    wanted = sorted(mine, key=lambda row: (row["start_s"], row["track_id"]))
    assert found.to_numpy().tolist() == [[row[name] for name in columns] for row in wanted]


@pytest.fixture
def in_a_bucket(labels: Labels, s3_env: S3Server) -> Iterator[Labels]:
    """The same tables in s3://bucket/labels."""
    s3_env.bucket("bucket")
    out = labels.folder / "out" / "labels"
    s3_env.upload("bucket", {f"labels/{p.relative_to(out)}": p for p in out.glob("*/*.parquet")})
    yield labels
    duckdb.unregister_filesystem("s3")


def test_the_tables_are_read_where_they_lie_in_a_bucket(in_a_bucket: Labels) -> None:
    names: dict[str, Any] = {}
    exec(fences("python")[-1], names)
    statuses = Counter(row["status"] for row in in_a_bucket.videos)
    assert dict(names["statuses"].fetchall()) == statuses
    assert Counter(names["videos"]["status"]) == statuses


def cells(table: str) -> list[tuple[str, str, str]]:
    """Name, type and "null when" of each column, as the document's table of them says."""
    (text,) = re.findall(rf"^### `{table}/`\n(.*?)^###? ", TEXT, re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in rows} == {5}
    assert all(meaning for _, _, _, meaning, _ in rows)
    return [(name.strip("`"), kind, null) for name, kind, _, _, null in rows]


def described(table: str) -> list[tuple[str, str, bool]]:
    return [(name, kind, bool(null)) for name, kind, null in cells(table)]


def type_name(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    return {pa.float32(): "float32", pa.float64(): "float64"}.get(kind, str(kind))


def documented(field: pa.Field) -> tuple[str, str, bool]:
    """A column as the document has it: one line for those of all labels."""
    name = re.sub(rf"_({'|'.join(LABELS)})$", "_<label>", field.name)
    return name, type_name(field.type), field.nullable


@pytest.mark.parametrize(
    ("table", "schema"), [("videos", videos_schema(LABELS)), ("segments", segments_schema(LABELS))]
)
def test_the_columns_are_those_of_the_tables(table: str, schema: pa.Schema) -> None:
    assert described(table) == list(dict.fromkeys(documented(field) for field in schema))


def words(column: str) -> dict[str, str]:
    """The words of a column and their meanings, as the document has them."""
    (text,) = re.findall(rf"^### `{column}`\n(.*?)^##", TEXT, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE))


# Each "null when" of the document as a question to the row that holds the column.
NULL_WHEN: dict[str, Callable[[Row], bool]] = {
    "`ok`": lambda row: row["status"] == "ok",
    "it could not be opened": lambda row: "unreadable" in row["reasons"],
    "it has none, or could not be opened": (
        lambda row: "unreadable" in row["reasons"] or row["uri"].endswith(".m4a")
    ),
    "no face detector ran": (
        lambda row: "unreadable" in row["reasons"] or row["uri"].endswith(".m4a")
    ),
    "no model looks at pictures, or it could not be opened": (
        lambda row: "unreadable" in row["reasons"]
    ),
    "no model listens, or it could not be opened": lambda row: "unreadable" in row["reasons"],
    "without `--identify`, or it could not be opened": lambda row: True,
    "no model listens, with `--any-sound`, or it could not be opened": (
        lambda row: "unreadable" in row["reasons"]
    ),
    "without `--speakers`, no `track_id`, no speech, or the mouth was not seen well": (
        lambda row: True  # without it; tests/labelling/test_speakers.py has it
    ),
    "it has no segment": lambda row: row["n_segments"] == 0,
    "it is the window's sound, which is nobody's in particular": (
        lambda row: row["modalities"] == ["audio"] and row["face_box"] is None
    ),
    "no `track_id`": lambda row: row["track_id"] is None,
    "no model was asked about the sound": lambda row: "audio" not in row["modalities"],
    "no model was asked about a face": lambda row: "face" not in row["modalities"],
}


def test_columns_are_null_when_it_says_so(labels: Labels) -> None:
    for table, rows in (("videos", labels.videos), ("segments", labels.segments)):
        nulls = 0
        for name, _, when in cells(table):
            for column in (name.replace("<label>", label) for label in LABELS):
                for row in rows:
                    expected = bool(when) and NULL_WHEN[when](row)
                    assert (row[column] is None) == expected, (table, column, row["uri"])
                    nulls += expected
        assert nulls


def test_the_reasons_and_notes_are_those_of_the_tables() -> None:
    assert words("reasons") == {
        reason: meaning.replace("the error column", "the column `error`")
        for reason, meaning in REASONS.items()
    }
    assert words("notes") == NOTES


def test_the_options_exist() -> None:
    rooms = ("labelling", "labelling.report", "labelling.people", "labelling.erasing", "exports",
             "preprocessing", "training", "evaluation")  # fmt: skip
    jobs = [import_module(f"emotion_core.{room}.command").main for room in rooms]
    names = {name for job in jobs for name in inspect.signature(job).parameters}
    options = {f"--{name.replace('_', '-')}" for name in names}
    others = {"--working-dir", "--runtime-env-json", "--minutes"}  # of Ray and the benchmark
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", TEXT)) - others <= options
