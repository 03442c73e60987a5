"""Labels that are there, as a report wants them, without the models that made them."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.labelling.erasing.record import erased
from emotion_core.labelling.report.cards import cards
from emotion_core.labelling.report.summary import Facts
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.tables import LabelTables, published_dimensions, published_labels


@dataclass(frozen=True)
class Finished:
    """What a label job wrote.

    Attributes:
        tables: both of them.
        videos: ``videos/``.
        facts: of the job.
    """

    tables: LabelTables
    videos: pa.Table
    facts: Facts


def open_finished(labels: str) -> Finished:
    """The labels in a folder; those of a job that has not ended are what is published so far.

    Raises:
        UsageError: they are no output of ``jobs/label.py``, or of another version of it, or nothing
            is published there yet.
    """
    settings = _settings(labels)
    min_confidence = settings["min_confidence"]
    answers = published_labels(labels)
    beside = published_dimensions(labels)
    tables = LabelTables(labels, answers, settings["model_id"], min_confidence, beside)
    videos = tables.videos()
    if videos is None:
        if erased(labels):
            raise UsageError(f"{labels} holds no labels: all that it held was erased")
        raise UsageError(f"{labels} holds no labels yet: wait until its first videos are done")
    record = _record(labels)
    arguments = record.get("arguments", {})
    extra = record.get("extra", {})
    facts = Facts(
        source=tuple(arguments.get("videos") or ()),
        out=labels,
        settings=settings,
        not_media=extra.get("not_media", 0),
        made=record.get("started", storage.utc_now()),
        models=tuple(
            cards(settings["models"], arguments.get("model") or (), extra.get("foreign", ()))
        ),
        finished=bool(record),
    )
    return Finished(tables, videos, facts)


def _settings(labels: str) -> dict[str, Any]:
    place = storage.join(labels, "settings.json")
    mark = storage.read_json(place) if storage.exists(place) else {}
    if not isinstance(mark, dict) or mark.get("kind") != "labels":
        raise UsageError(f"{labels} holds no labels: give the --out of jobs/label.py itself")
    settings = mark["settings"]
    if (version := settings.get("schema_version", 1)) != LABELS_SCHEMA_VERSION:
        raise UsageError(
            f"{labels} holds labels of schema version {version}, this version reads "
            f"{LABELS_SCHEMA_VERSION}: label again into another --out"
        )
    return settings


def _record(labels: str) -> dict[str, Any]:
    """``run.json``; empty while the job has not ended."""
    place = storage.join(labels, "run.json")
    return storage.read_json(place) if storage.exists(place) else {}
