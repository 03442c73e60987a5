"""Text from elsewhere, made fit to be shown: names of files, messages, addresses.

Names and messages come from strangers. Raw, they can end a job (a name that is not UTF-8), dress as
markup, or drive a terminal (``ESC ]0;...`` names its window); and an address may hold a password or
a signature, which belongs into no log, table or page.
"""

import re
import unicodedata

from rich.markup import escape

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_JOINERS = "\u200c\u200d"  # invisible, and part of names in several scripts
_HIDDEN = "***"

# Names of what signs an address, in its query: AWS, Google ...
_SIGNED = (
    "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature",
    "x-goog-credential", "awsaccesskeyid", "googleaccessid",
)  # fmt: skip
# ... Azure, CloudFront and others, whose names are common words.
_OPENS = (
    "key-pair-id", "signature", "sig", "token", "access_token", "auth_token", "id_token",
    "refresh_token", "sas_token", "auth",
    "api_key", "apikey", "api-key", "password", "passwd", "pwd", "secret", "client_secret",
)  # fmt: skip


def _in_query(names: tuple[str, ...]) -> re.Pattern[str]:
    """One of these names in a query, and what follows it up to the next one."""
    return re.compile(
        rf"([?&;#](?:{'|'.join(names)})=)(?!{re.escape(_HIDDEN)})[^&;#\s'\"<>]+", re.IGNORECASE
    )


_IN_QUERY, _IN_SIGNED_QUERY = _in_query((*_SIGNED, *_OPENS)), _in_query(_SIGNED)
# ``scheme://user:password@``; of the web also ``https://token@``. A bucket in front of an @
# (``abfs://container@account``) is none, nor is what an archive's member is called.
_WORD = r"(?<![A-Za-z0-9+.\-])"
_IN_FRONT = re.compile(
    rf"{_WORD}((?!zip:|file:)[A-Za-z][A-Za-z0-9+.\-]*://)(?!\[)(?!{re.escape(_HIDDEN)}@)"
    r"[^/?#\s'\"<>@]*:(?!\d+(?:[/?#]|$))[^\s'\"<>]*@",  # a number is a port
    re.IGNORECASE,
)
_IN_FRONT_OF_WEB = re.compile(
    rf"{_WORD}(https?://)(?!{re.escape(_HIDDEN)}@)[^/?#\s'\"<>@]+@", re.IGNORECASE
)
# Keys that are known by their looks: of AWS and of Google.
_KEY = re.compile(r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35})\b")


def one_line(error: Exception, most: int = 200) -> str:
    """What a library's error says, as the beginning of one line; its type where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def printable(text: str) -> str:
    """Text that may hold anything, on one line.

    What cannot be shown is U+FFFD: control characters, what turns the direction of writing, and
    halves of characters (bytes of a name that are not UTF-8).
    """
    return "".join(c if _can_be_shown(c) else _UNKNOWN for c in text)


def _can_be_shown(character: str) -> bool:
    return (
        character.isprintable()
        or character in _JOINERS
        or unicodedata.category(character) == "Zs"  # spaces of other widths
    )


def as_markup(text: str) -> str:
    """``printable`` for rich, which would take ``[b]`` in a name for a command."""
    return escape(printable(text))


def redacted(text: str) -> str:
    """``text`` with passwords, signatures and tokens of the addresses in it replaced by ``***``."""
    if "://" not in text and "=" not in text:
        return _KEY.sub(_HIDDEN, text)
    text = _IN_FRONT.sub(rf"\1{_HIDDEN}@", text)
    text = _IN_FRONT_OF_WEB.sub(rf"\1{_HIDDEN}@", text)
    text = _IN_QUERY.sub(rf"\1{_HIDDEN}", text)
    return _KEY.sub(_HIDDEN, text)


def holds_secret(uri: str) -> bool:
    """Whether an address holds a password, signature or token.

    A local name holds none. The key of an object may hold ``?token=`` like any other characters,
    since it is taken literally; only what signs addresses of such stores is no name there.
    """
    if "://" not in uri or uri.lower().startswith("file://"):
        return False
    query = _IN_SIGNED_QUERY if "s3://" in uri.lower() else _IN_QUERY
    return any(found.search(uri) for found in (_IN_FRONT, _IN_FRONT_OF_WEB, query, _KEY))


def without_secret(uri: str, place: str) -> str:
    """The words of a refusal of ``uri``, which stands at ``place``; they do not repeat the secret.

    Args:
        uri: an address that ``holds_secret``.
        place: the option, or the list and the line in it.
    """
    shown = printable(redacted(uri))
    return (
        f"{place}: an address with a password or a signature in it ({shown}), which would stand in "
        "every table: give it without, and the credentials through the environment "
        "(AWS_ACCESS_KEY_ID, AWS_PROFILE, ...; for jobs/live.py the whole as EMOTION_SOURCE), or "
        "copy the files first"
    )
