"""What the demo made: the jobs' run records as one table, the figures, and where to look."""

import sys
from pathlib import Path

import pyarrow.dataset as ds
from rich.console import Console
from rich.table import Table

from emotion_core import storage

STEPS = ("data", "features", "model", "eval", "labels", "own-labels")
COUNTS = ("inputs", "ok", "degraded", "failed")
FIGURES = ("war", "uar", "macro_f1")


def jobs_table(out: Path) -> Table:
    """One row per job: how many clips it saw, how they fared, how long it worked."""
    table = Table("job", *COUNTS, "seconds", "written to", title="jobs", title_justify="left")
    for step in STEPS:
        record = storage.read_json(str(out / step / "run.json"))
        counts = [str(record["counts"].get(name, "")) for name in COUNTS]
        table.add_row(record["job"], *counts, f"{record['seconds']:.1f}", str(out / step))
    return table


def figures_table(out: Path) -> Table:
    """WAR, UAR and macro F1 on the speakers that training did not see."""
    metrics = storage.read_json(str(out / "eval" / "metrics.json"))
    table = Table(*FIGURES, title="unseen speakers", title_justify="left")
    table.add_row(*(f"{metrics[name]:.3f}" for name in FIGURES))
    return table


def labels_table(out: Path) -> Table:
    """One row per video: how it fared, the emotions played in it, and what the models say."""
    columns = ["uri", "status", "reasons", "notes", "emotion"]
    videos = ds.dataset(str(out / "labels" / "videos"), format="parquet").to_table(columns)
    own = ds.dataset(str(out / "own-labels" / "videos"), format="parquet").to_table(
        ["uri", "emotion"]
    )
    said = dict(zip(own["uri"].to_pylist(), own["emotion"].to_pylist(), strict=True))
    played = storage.read_json(str(out / "data" / "run.json"))["extra"]["played"]
    table = Table("video", "status", "why", "played", "voice + face say", "the demo's own says",
                  title="labels", title_justify="left")  # fmt: skip
    for row in videos.sort_by("uri").to_pylist():
        truth = next((words for name, words in played.items() if row["uri"].endswith(name)), ())
        why = ", ".join([*row["reasons"], *row["notes"]])
        answers = (row["emotion"] or "", said[row["uri"]] or "")
        name = row["uri"].rsplit("/", 1)[-1]
        table.add_row(name, row["status"], why, ", ".join(truth), *answers)
    return table


def main(out: Path) -> None:
    """Prints the tables, and where pictures and labels lie."""
    console = Console()
    for table in (jobs_table(out), figures_table(out), labels_table(out)):
        console.print(table)
    console.print(
        "eight files with warped photographs and a synthetic voice: no measure of any model "
        "(docs/results.md has those)"
    )
    console.print("look at")
    pictures = [*sorted(out.glob("*/*.html")), *sorted(out.glob("*/*.png"))]
    for place in (*pictures, out / "labels" / "segments", out / "labels" / "videos"):
        console.print(f"  {place}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
