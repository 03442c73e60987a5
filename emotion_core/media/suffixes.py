"""Which file names are media, and of what kind. What a file really holds, decoding tells."""

from pathlib import PurePosixPath

from emotion_core.storage import path_of

_VIDEO = """
    .mp4 .mov .mkv .webm .avi .flv .f4v .mpg .mpeg .m1v .m2v .m4v .ts .mts .m2ts .vob .wmv .asf
    .3gp .3g2 .ogv .ogm .mxf .divx .rm .rmvb
"""
_AUDIO = """
    .wav .flac .mp3 .mp2 .m4a .m4b .aac .ac3 .ogg .oga .opus .wma .aif .aiff .aifc .amr .au .caf
    .mka .w64
"""
_IMAGE = ".jpg .jpeg .jpe .png .apng .bmp .webp .tif .tiff .gif .pgm .ppm"

VIDEO = frozenset(_VIDEO.split())
AUDIO = frozenset(_AUDIO.split())
IMAGE = frozenset(_IMAGE.split())
MEDIA = VIDEO | AUDIO | IMAGE


def kind_of(uri: str) -> str | None:
    """``video``, ``audio`` or ``image`` by the suffix of ``uri``, whatever its case; else None."""
    suffix = PurePosixPath(path_of(uri)).suffix.lower()
    for kind, suffixes in (("video", VIDEO), ("audio", AUDIO), ("image", IMAGE)):
        if suffix in suffixes:
            return kind
    return None
