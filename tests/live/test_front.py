"""What waits for the models, and what is dropped instead."""

import threading

import numpy as np

from emotion_core.live.front import Front, Status
from emotion_core.live.orders import Picture, Sound

RGB = np.zeros((2, 2, 3), np.uint8)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def front(clock: Clock, **options) -> Front:
    return Front(100, clock=clock, **options)


def put(where: Front, clock: Clock, *times: float, answered: bool = True) -> None:
    for time in times:
        where.picture(Picture(time, RGB, clock.now, answered))


def test_pictures_that_are_kept_up_with_are_all_there() -> None:
    clock = Clock()
    where = front(clock)
    put(where, clock, 1.0, 2.0, 3.0)

    taken = [where.take(0) for _ in range(4)]

    assert [each.picture and each.picture.time_s for each in taken] == [1.0, 2.0, 3.0, None]
    assert taken[-1].dropped == 0


def test_once_one_is_stale_only_the_newest_is_left() -> None:
    clock = Clock()
    where = front(clock, most_wait_s=0.4)
    put(where, clock, 1.0)
    clock.now += 0.3
    put(where, clock, 2.0, 3.0)
    clock.now += 0.2

    taken = where.take(0)

    assert taken.picture is not None and taken.picture.time_s == 3.0
    assert taken.dropped == 2 and where.take(0).picture is None


def test_the_newest_is_answered_however_late() -> None:
    clock = Clock()
    where = front(clock)
    put(where, clock, 1.0)
    clock.now += 60

    assert where.take(0).picture is not None


def test_it_holds_no_more_while_nobody_comes() -> None:
    """Also at a thousand pictures a second, which none of has waited long."""
    clock = Clock()
    where = front(clock)
    put(where, clock, *np.arange(1000.0))

    taken = [where.take(0) for _ in range(300)]
    shown = [each.picture.time_s for each in taken if each.picture]

    assert len(shown) <= 129 and shown[-1] == 999.0
    assert taken[-1].dropped == 1000 - len(shown)


def test_pictures_for_mouths_come_with_the_next_one_that_is_answered() -> None:
    clock = Clock()
    where = front(clock)
    put(where, clock, 1.0, 1.1, answered=False)
    put(where, clock, 1.2)
    put(where, clock, 1.3, answered=False)

    taken = where.take(0)

    assert [each.time_s for each in taken.before] == [1.0, 1.1]
    assert taken.picture is not None and taken.picture.time_s == 1.2
    assert taken.dropped == 0 and where.take(0).picture is None


def test_what_is_ready_ends_where_a_picture_waits() -> None:
    clock = Clock()
    where = front(clock)
    put(where, clock, 1.0, 2.0)
    where.ready(5.0)

    assert [where.take(0).ready_s for _ in range(2)] == [2.0, 5.0]


def test_of_sound_the_last_minute_is_kept_and_the_loss_is_told() -> None:
    clock = Clock()
    where = front(clock, ring_s=60.0)
    where.tell(Status("playing"))
    for second in range(90):
        where.sound(Sound(100 * second, np.full(100, second, np.float32)))

    taken = where.take(0)

    assert [block.first for block in taken.sound] == [100 * s for s in range(30, 90)]
    assert taken.status == Status("playing", "30 s of sound could not be kept up with")
    assert where.take(0).sound == ()


def test_without_dropping_the_source_waits() -> None:
    clock = Clock()
    where = front(clock, most_wait_s=None)
    filler = threading.Thread(target=put, args=(where, clock, *range(500)), daemon=True)
    filler.start()

    shown = []
    while len(shown) < 500:
        clock.now += 10
        if picture := where.take(5).picture:
            shown.append(picture.time_s)
    filler.join(60)

    assert shown == list(range(500)) and not filler.is_alive()


def test_who_waits_is_let_go() -> None:
    clock = Clock()
    where = front(clock, most_wait_s=None)
    filler = threading.Thread(target=put, args=(where, clock, *range(500)), daemon=True)
    filler.start()
    where.release()
    filler.join(60)

    assert not filler.is_alive()
