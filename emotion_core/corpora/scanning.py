"""What the corpus modules share: the result of a scan, and taking an utterance once."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from emotion_core.clips.clip import Clip
from emotion_core.errors import UsageError
from emotion_core.storage import FileInfo, held_files, list_files, path_of

# Richest first. Sound before silent pictures: where a corpus has both alone, every published
# audio protocol applies to the first, and decoding it costs a hundredth.
CHOICES = ("audio-visual", "audio", "video")

# ``--channel``: what is sung, what is not, or both.
CHANNELS = ("speech", "song", "all")

# What files lie in.
_ARCHIVES = frozenset({".zip", ".parquet"})

# By what a file's name says (``media.suffixes.kind_of``). A video is expected to have sound; one
# without is noticed when it is decoded.
MODALITIES = {"video": "audio-visual", "audio": "audio", "image": "image"}


@dataclass(frozen=True)
class Scan:
    """What was found below a corpus's URI.

    Every media file is in exactly one of the first four, or counted in the last:

    Attributes:
        clips: the labelled clips, sorted by URI.
        unparsed: URIs of media files whose names do not parse.
        duplicates: files of an utterance that is in ``clips`` already, in another modality or as a
            copy.
        other_modality: files of utterances that do not exist in the modality asked for.
        left_out: what else is no clip, and how often: words between "3" and "are left out".
    """

    clips: list[Clip]
    unparsed: list[str] = field(default_factory=list)
    duplicates: int = 0
    other_modality: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def stem(uri: str) -> str:
    """File name without folder and suffix."""
    return PurePosixPath(path_of(uri)).stem


def folders(uri: str, root: str = "") -> tuple[str, ...]:
    """Names of the folders above the file, outermost first; only those below ``root`` if given."""
    parent = PurePosixPath(path_of(uri)).parent
    below = root and not root.lower().endswith(".zip") and path_of(root).rstrip("/")
    return (parent.relative_to(below) if below and parent.is_relative_to(below) else parent).parts


def scan_names(
    uri: str,
    suffixes: frozenset[str],
    parse: Callable[[FileInfo], Clip | None],
    mixed: bool = True,
) -> Scan:
    """Lists ``uri`` and parses every name; ``parse`` answers None for a name that it cannot.

    Args:
        uri: a folder, bucket prefix, ZIP file or single file.
        suffixes: of the files that count.
        parse: a file -> its clip.
        mixed: also look into ZIP files that lie beside other files. Not for a corpus that cannot
            tell whether both are the same clips (``take_once``).

    Raises:
        UsageError: ``uri`` or a folder below it cannot be read: a corpus is wanted whole.
    """
    clips, unparsed = [], []
    for info in _files(uri, suffixes, mixed):
        if info.uri.endswith("/"):
            raise UsageError(f"{info.uri}: no access to this folder of the corpus")
        clip = parse(info)
        if clip is None:
            unparsed.append(info.uri)
        else:
            clips.append(clip)
    return Scan(clips, unparsed)


def find_beside(uri: str, name: str) -> str | None:
    """URI of the file of this name, in any case, below ``uri``: the first, None without one."""
    suffix = frozenset({PurePosixPath(name).suffix.lower()})
    for info in list_files(uri, suffix):
        if PurePosixPath(path_of(info.uri)).name.lower() == name.lower():
            return info.uri
    return None


def _files(uri: str, suffixes: frozenset[str], mixed: bool) -> Iterator[FileInfo]:
    """Files below ``uri``, and those inside the ZIP and Parquet files that lie there.

    RAVDESS comes in the first, mirrors on the Hugging Face hub in the second.
    """
    archives, outside = [], 0
    for info in list_files(uri, suffixes | _ARCHIVES):
        if PurePosixPath(path_of(info.uri)).suffix.lower() not in _ARCHIVES:
            outside += 1
            yield info
        elif not info.uri.startswith("zip://"):  # an archive within an archive stays closed
            archives.append(info.uri)
    if mixed or not outside:
        for archive in archives:
            inside = list_files if archive.lower().endswith(".zip") else held_files
            yield from inside(archive, suffixes)


def take_once(
    scan: Scan,
    utterance: Callable[[Clip], Hashable],
    modality: str | None = None,
    second: Callable[[Clip], bool] = lambda clip: False,
) -> Scan:
    """``scan`` with each utterance once: of ``modality``, or of the first of ``CHOICES`` it has.

    Of several files of one utterance in one modality (archives are often unpacked twice) the first
    by URI is taken, and none that is ``second`` where another is there.
    """
    wanted = CHOICES if modality is None else (modality,)
    best: dict[Hashable, Clip] = {}
    others: dict[Hashable, int] = {}
    order = sorted(scan.clips, key=lambda c: (_rank(c, CHOICES), second(c), c.uri))
    for clip in order:
        key = utterance(clip)
        if key in best or clip.modality not in wanted:
            others[key] = others.get(key, 0) + 1
        else:
            best[key] = clip
    return replace(
        scan,
        clips=sorted(best.values(), key=lambda clip: clip.uri),
        duplicates=sum(count for key, count in others.items() if key in best),
        other_modality=sum(count for key, count in others.items() if key not in best),
    )


def of_channel(scan: Scan, channel: str, uri: str) -> Scan:
    """``scan`` with the clips of one of ``CHANNELS``; the others are told in ``left_out``.

    What no corpus calls a song is speech: most name no channel, having one only.

    Raises:
        UsageError: no such channel, or none of the clips at ``uri`` is of it.
    """
    if channel not in CHANNELS:
        raise UsageError(f"no channel '{channel}': choose one of {', '.join(CHANNELS)}")
    if channel == "all":
        return scan
    kept = [clip for clip in scan.clips if (clip.channel == "song") == (channel == "song")]
    other = len(scan.clips) - len(kept)
    if not kept:
        raise UsageError(f"{uri}: no {channel} there, {other} other clips: pass --channel all")
    if not other:
        return scan
    what = f"clips of {uri} that are {'speech' if channel == 'song' else 'songs'} (--channel)"
    return replace(scan, clips=kept, left_out={**scan.left_out, what: other})


def _rank(clip: Clip, order: Iterable[str]) -> int:
    return list(order).index(str(clip.modality))


def checked(scan: Scan, name: str, uri: str, looks_for: str) -> Scan:
    """``scan`` itself when it holds clips.

    Raises:
        UsageError: it holds none; the line says what was looked for.
    """
    if scan.clips:
        return scan
    if scan.other_modality:
        raise UsageError(
            f"{uri}: no {name} clip in this modality ({scan.other_modality} in others): leave out "
            "--modality or choose another"
        )
    if scan.unparsed:
        raise UsageError(
            f"{uri}: none of {len(scan.unparsed)} media files has a {name} name, for example "
            f"{PurePosixPath(path_of(scan.unparsed[0])).name}; looked for {looks_for}"
        )
    if scan.left_out:
        told = ", ".join(f"{count} {what}" for what, count in scan.left_out.items())
        raise UsageError(f"{uri}: no clip is left ({told}); looked for {looks_for}")
    raise UsageError(f"{uri}: no media files there; looked for {looks_for}")
