"""A camera, a stream or a file as it plays -> emotions on a local page, while it plays."""

import threading
import webbrowser
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError
from emotion_core.labelling.windows import Windowing
from emotion_core.recipes.options import encoder_place

if TYPE_CHECKING:
    from socket import socket

    from emotion_core.live.session import LiveSession

# Pictures a second that are searched for faces: boxes move smoothly, and two cores keep up.
FPS = 10.0
_PAGE = ("starlette", "uvicorn", "websockets")


def main(
    source: Annotated[
        str,
        typer.Option(
            envvar="EMOTION_SOURCE",
            help="The number of a camera (0), an address (rtsp://, rtsps://, http://, https://, "
            "rtmp://, rtmps://), or a file, which plays at its own pace. An address with a "
            "password goes into the environment variable.",
        ),
    ],
    audio: Annotated[
        str | None,
        typer.Option(
            help="A camera's microphone, as ALSA calls it (default, hw:1) or by its number on "
            "macOS: without it a camera is not heard. none: nor are a stream and a file."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="As jobs/label.py takes it; by default voice and face."),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(help="Folder for the labels, local or s3://; without it nothing is kept."),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Of the page, on 127.0.0.1; 0: a free one.", min=0, max=65535)
    ] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-browser", help="Open the page in the usual browser.")
    ] = True,
    page: Annotated[
        bool,
        typer.Option(
            "--page/--no-page", help="Without a page it ends with its source, or by Ctrl-C."
        ),
    ] = True,
    window: Annotated[float, typer.Option(help="Seconds that one answer is about.")] = 4.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 2.0,
    fps: Annotated[
        float, typer.Option(help="Pictures a second to search for faces, at most.")
    ] = FPS,
    min_face: Annotated[
        int | None, typer.Option(help="Smallest face, as jobs/label.py takes it.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Search every picture for faces as a whole.")
    ] = False,
    speakers: Annotated[
        bool,
        typer.Option(
            "--speakers", help="Where several people are in view, look whose mouth goes with it."
        ),
    ] = False,
    any_sound: Annotated[
        bool, typer.Option("--any-sound", help="Ask about every sound that is not silent.")
    ] = False,
    min_confidence: Annotated[
        float, typer.Option(help="Below it an answer is saved as unsure.", min=0, max=1)
    ] = 0.0,
    detector: Annotated[
        str | None, typer.Option(help="The model's face detector, as jobs/label.py takes it.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="The model's speech encoder, as jobs/label.py takes it.")
    ] = None,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Run a model's own network, code of its maker.")
    ] = False,
) -> int:
    """Show the emotions in a camera, a stream or a file while it plays.

    A page on 127.0.0.1, whose address holds a token, shows the picture with everybody's face, what
    the models make of it now, and a timeline. Answers come from the same models and windows as
    jobs/label.py's; pictures that cannot be kept up with are dropped. Nothing leaves this machine.

    Example: python jobs/live.py --source 0 --audio default
    """
    arguments = dict(locals())
    from emotion_core.labelling.how import Labelling
    from emotion_core.labelling.step import LabelOptions
    from emotion_core.live.addresses import address
    from emotion_core.live.opening import model_lines, opened
    from emotion_core.live.saving import Record, saving
    from emotion_core.models.shipped import NAMES, model_uri

    _check(page, save)
    given = address(source, audio)
    how = Labelling(
        tuple(model_uri(each) for each in model or NAMES),
        LabelOptions(Windowing(window, hop), fps, min_face, exact, any_sound, speakers),
        detector,
        min_confidence=min_confidence,
        trust_code=trust_code,
        encoder=None if encoder is None else encoder_place(encoder),
    )
    how.check()
    listening = _listen(port) if page else None
    step = how.step()
    with ExitStack() as held:
        if listening is not None:
            held.enter_context(listening)
        began = held.enter_context(opened(step, given, fps))
        keeper = None
        if save is not None:
            record = Record(how, {**arguments, "source": given.name}, given)
            keeper = held.enter_context(saving(storage.absolute(save), step, record, cli.say))
        session = began.session(model_lines(how), keeper)
        session.start()
        try:
            if listening is not None:
                _show(session, listening, open_browser)
            else:
                _wait(session)
        finally:
            session.stop()
            session.join()
    if save is not None:
        cli.say(f"labels: {storage.absolute(save)}")
    return 0


def _check(page: bool, save: str | None) -> None:
    """Raises ``UsageError`` for what can be told before anything is opened."""
    if not page and save is None:
        raise UsageError("--no-page without --save would show and keep nothing: add --save FOLDER")
    if page and (missing := [name for name in _PAGE if find_spec(name) is None]):
        raise UsageError(
            f"the page needs {' and '.join(missing)}: pip install 'emotion-core[live]', or give "
            "--no-page and --save"
        )


def _listen(port: int) -> "socket":
    from emotion_core.live.server import listen

    return listen(port)


def _show(session: "LiveSession", listening: "socket", open_browser: bool) -> None:
    from emotion_core.live.server import serve

    def ready(url: str) -> None:
        cli.say(f"to look at: {url} (Ctrl-C ends it)")
        if open_browser:
            # a browser of the terminal would be waited for, and the page is served after this
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(session, listening, ready)


def _wait(session: "LiveSession") -> None:
    """Until the source has ended, or Ctrl-C; says how the source is when that changes."""
    said = ""
    number = 0
    try:
        while not session.join(0.0):
            snapshot = session.newest(number, 1.0)
            if snapshot is None:
                continue
            number, figures = snapshot.number, snapshot.figures
            line = f"{figures.source}: {figures.note}" if figures.note else figures.source
            # while a source is sought its note counts down
            news = line if figures.source == "playing" else figures.source
            if news != said:
                said = news
                cli.say(line)
    except KeyboardInterrupt:
        cli.say("stopping: what was heard and seen is answered")
