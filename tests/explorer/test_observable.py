"""What changes is announced: once, by name, and not when it stays the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.explorer.observable import Observable, Observed


class Room(Observable):
    light = Observed[bool]()
    people = Observed[int]()
    picture = Observed[object]()

    def __init__(self):
        super().__init__()
        self.light, self.people, self.picture = False, 0, None


@pytest.fixture
def room():
    return Room()


@pytest.fixture
def heard(room):
    announcements = []
    room.subscribe(announcements.append)
    return announcements


def test_a_change_is_announced_by_name_after_it_was_made(room):
    seen = []
    room.subscribe(lambda changed: seen.append((changed, room.people)))
    room.people = 3
    assert seen == [({"people"}, 3)] and room.people == 3


def test_what_stays_the_same_is_not_announced(room, heard):
    room.people, room.light, room.picture = 0, False, None
    assert heard == []


def test_an_array_changes_when_it_is_replaced(room, heard):
    picture = np.zeros(3)
    room.picture = picture
    room.picture = picture
    room.picture = picture.copy()
    assert heard == [{"picture"}] * 2


def test_changes_made_together_are_announced_once(room, heard):
    with room.together():
        room.people = 1
        with room.together():
            room.light = True
        room.people = 2
        assert heard == []
    assert heard == [{"people", "light"}]


def test_what_was_changed_before_an_error_is_announced(room, heard):
    with pytest.raises(ZeroDivisionError), room.together():
        room.people = 1 / 1
        room.light = 1 / 0
    assert heard == [{"people"}]


def test_an_observer_may_change_something_else(room, heard):
    room.subscribe(lambda changed: setattr(room, "light", room.people > 0))
    room.people = 2
    assert heard == [{"people"}, {"light"}] and room.light


def test_whoever_ends_a_subscription_hears_no_more(room, heard):
    end = room.subscribe(lambda changed: pytest.fail("ended"))
    end()
    end()
    room.people = 1
    assert heard == [{"people"}]


def test_two_of_a_kind_have_values_of_their_own(room, heard):
    other = Room()
    other.people = 5
    assert room.people == 0 and heard == []


@given(st.lists(st.tuples(st.sampled_from(["light", "people"]), st.integers(0, 3)), max_size=20))
def test_who_follows_the_announcements_knows_the_values(steps):
    room = Room()
    known = {"light": room.light, "people": room.people}
    room.subscribe(lambda changed: known.update({name: getattr(room, name) for name in changed}))
    for name, value in steps:
        setattr(room, name, value)
        assert known == {"light": room.light, "people": room.people}
