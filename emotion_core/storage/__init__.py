"""Any URI -> files: listing, reading, atomic writing, who writes, and the record that ends a job.

What an URI may be, everywhere in this package:

* a plain string is a local path, taken literally (``#``, ``%``, ``*`` and spaces mean themselves);
* ``file://`` is a local path, percent-encoded. Only names that are not UTF-8 need it, because
  neither Parquet nor JSON can hold them in any other way;
* ``s3://bucket/key``, the key taken literally; endpoint, region and keys come from the standard AWS
  settings (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``, ...);
* ``zip://member::ARCHIVE``, one file of an archive that is itself at any URI;
* ``parquet://ROW/NAME::TABLE``, what a row of a Parquet file holds (``mirrors``), of a corpus;
* any other ``scheme://`` that fsspec knows.
"""

from emotion_core.storage.claims import Check, Claim, hold_output, sole_writer, unclaimed
from emotion_core.storage.fetching import local_copy
from emotion_core.storage.finding import is_pattern, list_pattern, look_up
from emotion_core.storage.listing import GONE, UNREADABLE, FileInfo, exists, list_files
from emotion_core.storage.mirrors import held_files
from emotion_core.storage.outputs import (
    Clock,
    RunRecord,
    check_output,
    package_versions,
    start_output,
    utc_now,
    write_run_record,
)
from emotion_core.storage.reading import (
    open_read,
    parquet_columns,
    parquet_rows,
    read_bytes,
    read_json,
    read_parquet,
    reading_back,
)
from emotion_core.storage.uris import absolute, filesystem, is_local, join, path_of
from emotion_core.storage.writing import (
    open_write,
    remove,
    remove_unfinished,
    write_bytes,
    write_json,
    write_parquet,
)

__all__ = [
    "GONE",
    "UNREADABLE",
    "Check",
    "Claim",
    "Clock",
    "FileInfo",
    "RunRecord",
    "absolute",
    "check_output",
    "exists",
    "filesystem",
    "held_files",
    "hold_output",
    "is_local",
    "is_pattern",
    "join",
    "list_files",
    "list_pattern",
    "local_copy",
    "look_up",
    "open_read",
    "open_write",
    "package_versions",
    "parquet_columns",
    "parquet_rows",
    "path_of",
    "read_bytes",
    "read_json",
    "read_parquet",
    "reading_back",
    "remove",
    "remove_unfinished",
    "sole_writer",
    "start_output",
    "unclaimed",
    "utc_now",
    "write_bytes",
    "write_json",
    "write_parquet",
    "write_run_record",
]
