"""FER2013: 35,887 faces of 48 x 48 grey pixels in seven emotions (Goodfellow et al. 2013).

Two forms are read: pictures in class folders (``train/happy/Training_10118481.jpg``), also inside
the ZIP file, and the original ``fer2013.csv`` with one picture a line, of which a worker reads only
its own line.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import IMAGE
from emotion_core.recipes.emotions import canonical
from emotion_core.storage import FileInfo, list_files, open_read, path_of

NAME = "fer2013"
LOOKS_FOR = "class folders of pictures (train/happy/Training_1.jpg) or fer2013.csv"

# The order of the numbers in fer2013.csv.
_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_EMOTIONS = frozenset(canonical(word) for word in _CLASSES)
_SUBSETS = {
    "training": "train",
    "train": "train",
    "publictest": "PublicTest",
    "privatetest": "PrivateTest",
}
_CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """FER2013 faces below ``uri``.

    Args:
        uri: a folder, a ZIP file, or the CSV file itself. Pictures win over a CSV file beside them.
        modality: ignored: every clip is a face.

    Raises:
        UsageError: unreadable URI, no picture there, or the CSV file has other columns.
    """
    if path_of(uri).lower().endswith(".csv"):
        found = _scan_csv(list_files(uri)[0])
    else:
        found = scanning.scan_names(uri, IMAGE, lambda info: parse(info, uri), mixed=False)
        if not found.clips and not found.unparsed and (csv := _find_csv(uri)):
            found = _scan_csv(csv)
    return scanning.checked(found, NAME, uri, LOOKS_FOR)


def parse(info: FileInfo, root: str = "") -> Clip | None:
    """The clip that a picture's name and folders (below ``root``) describe, None when they do not.

    The class is the folder that holds the picture. The subset is in the file's name, else a folder
    above the class names it; ``test`` alone counts as PublicTest, which archives of 28,709 and
    3,589 pictures hold there.
    """
    above = scanning.folders(info.uri)
    emotion = canonical(above[-1]) if above else None
    if emotion not in _EMOTIONS:
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        emotion=emotion,
        modality="face",
        subset=_subset(scanning.stem(info.uri), scanning.folders(info.uri, root)[:-1]),
    )


def _subset(stem: str, above: tuple[str, ...]) -> str | None:
    named = _SUBSETS.get(stem.split("_")[0].lower())
    if named:
        return named
    for folder in reversed(above):
        if named := {**_SUBSETS, "test": "PublicTest"}.get(folder.lower()):
            return named
    return None


def _find_csv(uri: str) -> FileInfo | None:
    by_name = {
        PurePosixPath(path_of(info.uri)).name.lower(): info
        for info in list_files(uri, frozenset({".csv"}))
    }
    return next((by_name[name] for name in _CSV_NAMES if name in by_name), None)


def _scan_csv(info: FileInfo) -> scanning.Scan:
    if info.uri.startswith("zip://"):
        # each picture would decompress the archive up to its line
        raise UsageError(f"{info.uri}: unpack the CSV file first, its lines are read one by one")
    clips: list[Clip] = []
    unparsed: list[str] = []
    for number, start, line, columns in _lines(info.uri):
        clip = _parse_line(info, start, line, columns)
        if clip is None:
            unparsed.append(f"{info.uri} line {number}")
        else:
            clips.append(clip)
    return scanning.Scan(clips, unparsed)


def _lines(uri: str) -> Iterator[tuple[int, int, bytes, dict[str, int]]]:
    """Number, first byte and content of each line with a picture, and where its columns are."""
    with open_read(uri) as file:
        header = file.readline()
        names = [name.strip().lower() for name in header.decode("utf-8-sig", "replace").split(",")]
        columns = {name: index for index, name in enumerate(names)}
        if not {"emotion", "pixels", "usage"} <= set(columns):
            raise UsageError(f"{uri}: no columns emotion, pixels and Usage in its first line")
        start = len(header)
        for number, line in enumerate(file, start=2):
            if line.strip():
                yield number, start, line.rstrip(b"\r\n"), columns
            start += len(line)


def _parse_line(info: FileInfo, start: int, line: bytes, columns: dict[str, int]) -> Clip | None:
    fields = [field.strip().decode("ascii", "replace") for field in line.split(b",")]
    if len(fields) != len(columns):
        return None
    number = fields[columns["emotion"]]
    subset = _SUBSETS.get(fields[columns["usage"]].lower())
    if subset is None or number not in map(str, range(len(_CLASSES))):
        return None
    return Clip(
        info.uri,
        len(line),
        info.version,
        member=f"bytes={start}-{start + len(line)}",
        corpus=NAME,
        emotion=canonical(_CLASSES[int(number)]),
        modality="face",
        subset=subset,
    )
