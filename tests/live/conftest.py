"""What tests of the page and of its server share."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.support.live_session import MadeUpSession, served


@pytest.fixture
def session() -> MadeUpSession:
    return MadeUpSession()


@pytest.fixture
def running(session: MadeUpSession) -> Iterator[tuple[str, Future[None]]]:
    """The page's address, and what ends when it is served no more."""
    with served(session) as (address, future):
        yield address, future
