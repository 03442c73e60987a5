"""What people said in Label Studio of files or stretches of them: its JSON export, as a corpus.

Read is what the interface of ``jobs/export.py`` makes (``Labels`` on a wave), and ``Choices``,
about a region or about the whole file. Of each file the annotation that was changed last counts.
Nothing is taken from predictions: what nobody has looked at is nobody's label.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emotion_core import storage
from emotion_core.corpora import scanning
from emotion_core.corpora.listed import Listed, added, clips_of, utf8
from emotion_core.corpora.lists import placed
from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.text import holds_secret, without_secret

NAME = "labelstudio"
LOOKS_FOR = (
    "Label Studio's export as JSON (not JSON-MIN), tasks with data.video and annotations; labels "
    f"are {', '.join(EMOTIONS)}"
)
_MEDIA = ("video", "audio", "image", "uri", "path", "url")
_KINDS = ("labels", "choices")
# Where Label Studio serves a folder of the disk: /data/local-files/?d=FOLDER/FILE
_LOCAL_FILES = "/data/local-files/"

_Json = dict[str, Any]


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """The clips that an export of Label Studio labels.

    Args:
        uri: of the JSON file.
        modality: ignored: each region is its own utterance.

    Raises:
        UsageError: no such export, a file that a task names is not there, or nothing in it has a
            label that is known.
    """
    uri = storage.absolute(uri)
    if not uri.lower().endswith(".json"):
        raise UsageError(f"{uri}: no JSON file; looked for {LOOKS_FOR}")
    left_out: Counter[str] = Counter()
    chosen: dict[str, tuple[str, _Json, _Json]] = {}
    for where, task in _tasks(uri):
        _require_form(task, where)
        place = _place(task["data"], uri, where)
        annotation = _last(task, left_out)
        if annotation is None:
            continue
        if place in chosen:
            left_out["annotations that a later one replaces"] += 1
            if _changed(chosen[place][2]) > _changed(annotation):
                continue
        chosen[place] = (where, task["data"], annotation)
    listed = [
        one
        for place, (where, data, annotation) in chosen.items()
        for one in _regions(where, place, data, annotation, left_out)
    ]
    found = clips_of(listed)
    found = scanning.Scan(found.clips, found.unparsed, left_out=added(left_out, found.left_out))
    if not found.clips and not found.unparsed:
        why = "; ".join(f"{count} {what}" for what, count in left_out.items()) or "no task"
        raise UsageError(f"{uri}: nobody has labelled anything in it ({why})")
    return scanning.checked(found, NAME, uri, LOOKS_FOR)


def _tasks(uri: str) -> Iterator[tuple[str, _Json]]:
    """Each task, and how a message names it."""
    tasks = storage.read_json(uri)
    if not isinstance(tasks, list):
        raise UsageError(f"{uri}: no list of tasks; looked for {LOOKS_FOR}")
    for number, task in enumerate(tasks, start=1):
        where = f"{uri}, task {number}"
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise UsageError(f"{where}: no data; looked for {LOOKS_FOR}")
        yield where, task


def _require_form(task: _Json, where: str) -> None:
    """Raises ``UsageError`` where annotations are none that Label Studio writes."""
    for annotation in _listed(task, "annotations", where):
        for region in _listed(annotation, "result", where):
            value, meta = region.get("value") or {}, region.get("meta") or {}
            if not isinstance(value, dict) or not isinstance(meta, dict):
                raise UsageError(_formless(where, "a region"))
            labels = (value.get(kind) or [] for kind in _KINDS)
            lane = meta.get("text") or ""
            if not all(isinstance(each, list) for each in labels) or not (
                isinstance(lane, (str, list)) and all(isinstance(each, str) for each in lane)
            ):
                raise UsageError(_formless(where, "a region"))


def _listed(holder: _Json, name: str, where: str) -> list[_Json]:
    given = holder.get(name) or []
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise UsageError(_formless(where, name))
    return given


def _formless(where: str, what: str) -> str:
    return f"{where}: {what} not as Label Studio writes it; looked for {LOOKS_FOR}"


def _place(data: _Json, uri: str, where: str) -> str:
    given = next((data[name] for name in _MEDIA if isinstance(data.get(name), str)), "")
    if not given:
        raise UsageError(f"{where}: data names no file: it needs one of {', '.join(_MEDIA)}")
    if given.startswith(_LOCAL_FILES):
        # below a folder of Label Studio's that its export does not name
        given = "".join(parse_qs(urlsplit(given).query).get("d", []))
    if holds_secret(given):
        raise UsageError(without_secret(given, where))
    return placed(utf8(given, where), uri.rpartition("/")[0])


def _last(task: _Json, left_out: Counter[str]) -> _Json | None:
    """The annotation of a task that counts."""
    annotations = task.get("annotations") or []
    if not annotations:
        left_out["tasks without an annotation"] += 1
    given = []
    for annotation in annotations:
        if annotation.get("was_cancelled"):
            left_out["skipped annotations"] += 1
        elif not annotation.get("result"):
            left_out["empty annotations"] += 1
        else:
            given.append(annotation)
    if len(given) > 1:
        left_out["annotations that a later one replaces"] += len(given) - 1
    # of those of one moment the last in the file
    return max(reversed(given), key=_changed) if given else None


def _changed(annotation: _Json) -> str:
    """When, ISO 8601 in UTC, which sorts as text."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _regions(
    where: str, place: str, data: _Json, annotation: _Json, left_out: Counter[str]
) -> Iterator[Listed]:
    """What an annotation says of stretches of its file, or of all of it."""
    for region in annotation["result"]:
        value: Mapping[str, Any] = region.get("value") or {}
        labels = [label for kind in _KINDS for label in value.get(kind) or ()]
        if len(labels) != 1:
            left_out["regions with another number of labels than one"] += 1
            continue
        start_s, end_s = (_time(value.get(edge), where) for edge in ("start", "end"))
        if start_s is not None and end_s is not None and end_s <= start_s:
            left_out["regions that last no time"] += 1
            continue
        lane = "".join((region.get("meta") or {}).get("text") or [])
        speaker = utf8(str(data.get("speaker") or ""), where) or None
        told = {"corpus": NAME, "speaker": speaker}
        yield Listed(where, place, str(labels[0]), start_s, end_s, lane, told)


def _time(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, (int, float)) and 0 <= value < float("inf")):
        return value
    raise UsageError(f"{where}: {str(value)[:40]!r} is no time in seconds")
