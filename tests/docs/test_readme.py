"""What the README tells people to type is there: options, files, and queries that run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from emotion_core.corpora.splits import expand
from emotion_core.labelling.schemas import (
    LABELS_SCHEMA_VERSION,
    segments_schema,
    videos_schema,
)
from emotion_core.main import COMMANDS
from emotion_core.models.networks import build_network, network_class
from emotion_core.preprocessing.rows import FEATURES, FEATURES_SCHEMA_VERSION
from emotion_core.recipes import load_recipe
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.options import with_options
from emotion_core.storage import RunRecord, write_json, write_run_record

ROOT = Path(__file__).resolve().parents[2]
LABELS = LABEL_SETS["emotions7"].labels
DOCUMENTS = (
    "README.md",
    "docs/labelling.md",
    "docs/cluster.md",
    "cluster.yaml",
    "deploy/label.yaml",
    "deploy/nightly.yaml",
    "deploy/label.slurm",
    "CONTRIBUTING.md",
    "docs/troubleshooting.md",
    "examples/demo.sh",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("benchmarks/*.sh")),
)


def job_commands() -> dict[str, set[str]]:
    """Options that the documents give to each job."""
    found: dict[str, set[str]] = {}
    for name in DOCUMENTS:
        text = (ROOT / name).read_text().replace("\\\n", " ")
        called = r"(?:python jobs/|emotion-core )(\w+)(?:\.py)?([^\n|`]*)"
        for job, rest in re.findall(called, text):
            if job not in COMMANDS:  # the name in a sentence
                continue
            options = [word for word in shlex.split(rest, comments=True) if word.startswith("--")]
            found.setdefault(f"jobs/{job}.py", set()).update(options)
    return found


@pytest.mark.parametrize("job", job_commands())
def test_documented_options_exist(job: str) -> None:
    shown = subprocess.run(
        [sys.executable, job, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )

    assert shown.returncode == 0, shown.stderr
    missing = {
        option for option in job_commands()[job] if not re.search(rf"{option}\b", shown.stdout)
    }
    assert missing == set()


def test_all_four_jobs_are_documented() -> None:
    wanted = {f"jobs/{name}.py" for name in ("preprocess", "train", "evaluate", "label")}

    assert wanted <= set(job_commands())


def test_documented_variants_can_be_built() -> None:
    text = (ROOT / "README.md").read_text()
    found = re.findall(r"`--recipe ([\w-]+)((?: --option \S+=[^\s`]+)+)", text)

    assert sum(given.count("--option") for _, given in found) == text.count("--option")
    for name, options in found:
        given = options.replace("--option", "").split()
        build_network(with_options(load_recipe(name), given), download=False)
        kind = network_class(load_recipe(name).network)
        keys = {option.partition("=")[0] for option in given}
        # with_options has refused what the other parts of a recipe have not
        assert {key for key in keys if "." not in key} <= {*signature(kind).parameters}


def test_the_runs_behind_the_results_name_recipes_and_splits_that_exist() -> None:
    text = (ROOT / "benchmarks" / "results.sh").read_text()
    recipes = re.findall(r"--recipe ([a-z][\w-]+)", text)
    splits = re.findall(r"--split ([a-z]\S+)", text)
    made = {name: name for name in re.findall(r"^features (\S+)", text, re.MULTILINE)}
    made |= dict(re.findall(r"^features_as ([a-z]\S+) (\S+)", text, re.MULTILINE))
    measured = re.findall(r"^measure \S+ ([a-z]\S+) --recipe (\S+)", text, re.MULTILINE)

    assert len(recipes) > 10 and len(splits) > 5 and len(measured) > 10
    for split in splits:
        expand(split)  # refuses what it does not know
    for features, recipe in measured:
        one, other = load_recipe(made[features]), load_recipe(recipe)
        assert (one.audio, one.video) == (other.audio, other.video)


def test_the_changelog_begins_with_the_versions_of_the_tables() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    latest = text[text.index("\n## ") :]
    versions = re.findall(
        r"`schema_version` of [^:]*: \*\*(\d+)\*\*; of `features/`: \*\*(\d+)", latest
    )
    assert [int(version) for version in versions[0]] == [
        LABELS_SCHEMA_VERSION, FEATURES_SCHEMA_VERSION
    ]  # fmt: skip
    names = {*segments_schema(LABELS).names, *videos_schema(LABELS).names, *FEATURES.names}
    renamed = re.findall(r"^\| `(?:segments|videos|features)/` \| `(\w+)` \| `(\w+)`", text, re.M)
    assert len(renamed) == 6
    assert {new for _, new in renamed} <= names
    assert not {old for old, _ in renamed} & names


def segment(uri: str, track_id: int, emotion: str, p_angry: float) -> dict:
    rest = {f"p_{label}": 0.0 for label in LABELS} | {"p_angry": p_angry}
    return {
        "clip_id": uri,
        "uri": uri,
        "start_s": 0.0,
        "end_s": 4.0,
        "labelled_s": 4.0,
        "track_id": track_id,
        "emotion": emotion,
        "confidence": p_angry,
        "unsure": False,
        "modalities": ["face"],
        "model_id": "m",
        **rest,
    }


def video(uri: str, status: str, reasons: list[str], notes: Sequence[str] = ()) -> dict:
    identity = {"clip_id": uri, "uri": uri, "size": 1, "version": "1"}
    fared = {"status": status, "reasons": reasons, "notes": notes}
    numbers = {"n_segments": 1, "n_tracks": 1, "labelled_s": 4.0, "processing_s": 1.0}
    return {**identity, **fared, **numbers}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """The labels of three videos, where ``make demo`` leaves them: ``OUT/labels``."""
    segments = [segment("a", 0, "angry", 0.75), segment("a", 0, "angry", 0.25)]
    segments += [segment("a", 1, "sad", 0.0), segment("b", 0, "angry", 0.5)]
    videos = [video("a", "ok", [], ["several_people"]), video("b", "degraded", ["no_audio", "cut"])]
    videos += [video("c", "degraded", ["no_audio"])]
    for name, rows, schema in (
        ("segments", segments, segments_schema(LABELS)),
        ("videos", videos, videos_schema(LABELS)),
    ):
        folder = tmp_path / "labels" / name
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "part.parquet")
    return tmp_path / "labels"


def test_its_queries_answer_what_they_say(labels: Path) -> None:
    queries = re.findall(r'duckdb\.sql\("""(.*?)"""\)', (ROOT / "README.md").read_text(), re.DOTALL)
    here = [query.replace("out/demo/labels", str(labels)) for query in queries]
    longest, trouble = (duckdb.execute(query).fetchall() for query in here)

    assert longest == [
        ("a", 0, "angry", 8.0, 0.5), ("a", 1, "sad", 4.0, 0.0), ("b", 0, "angry", 4.0, 0.5)
    ]  # fmt: skip
    assert trouble == [("degraded", "no_audio", 2, "b"), ("degraded", "cut", 1, "b")]


def test_the_demo_ends_with_its_figures_and_where_to_look(labels: Path) -> None:
    out = labels.parent
    counts = {"inputs": 3, "ok": 2, "degraded": 1, "failed": 0}
    shutil.copytree(labels, out / "own-labels")
    steps = ("data", "features", "model", "eval", "labels", "own-labels")
    for step in steps:
        record = RunRecord(f"job-{step}", {}, counts, 12.34, "2026-01-01T00:00:00+00:00",
                           extra={"played": {"a": ["happy", "sad"]}})  # fmt: skip
        write_run_record(str(out / step), record)
    write_json(str(out / "eval" / "metrics.json"), {"war": 0.5, "uar": 0.25, "macro_f1": 0.125})
    (out / "eval" / "confusion.png").touch()

    shown = subprocess.run(
        [sys.executable, "examples/demo_summary.py", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout

    for step in steps:
        assert re.search(rf"job-{step} .* 3 .* 2 .* 1 .* 0 .* 12\.3 ", shown), shown
    assert re.search(r"0\.500 .* 0\.250 .* 0\.125", shown), shown
    assert re.search(r"a .* ok .* several_people .* happy, sad", shown), shown
    assert re.search(r"b .* degraded .* no_audio, cut", shown), shown
    assert str(out / "eval" / "confusion.png") in shown


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert cited["title"].startswith(project["name"])
    assert {"cff-version", "message", "authors"} <= set(cited)
