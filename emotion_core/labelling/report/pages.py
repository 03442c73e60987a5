"""Pages that hold all they need, load nothing, and run one script, which is known by its hash.

Everything that comes from outside (names, errors, cards of models) is escaped, in the page as in
the data for the script. The content security policy lets a browser run the page's own script and
nothing else.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps

from emotion_core.report.colours import style_rules

_ROOM = "emotion_core.labelling.report"


def page(template: str, labels: Sequence[str], /, **values: Any) -> bytes:
    """The page of a template with its script, as UTF-8.

    Args:
        template: ``summary`` or ``video``.
        labels: of the models, whose colours it uses.
        **values: what the template asks for.
    """
    script = _text(f"{template}.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    text = _environment().get_template(f"{template}.html").render(
        policy=policy, script=script, style=_text("style.css"),
        rules=style_rules(labels), labels=labels,
        **values,
    )  # fmt: skip
    return text.encode()


def data_block(values: Any) -> str:
    """Values as JSON that may stand inside a ``<script type="application/json">`` as it is."""
    return htmlsafe_json_dumps(values, json.dumps, separators=(",", ":"), allow_nan=False)


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_ROOM, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache
def _text(name: str) -> str:
    return files(_ROOM).joinpath(name).read_text("utf-8")
