"""What is under way can be cancelled; what is being saved is not."""

import threading

from driving import PATIENCE, wait_for

from oodretrieval.explorer.session import SAVING


def test_backspace_drops_what_is_under_way_and_not_what_is_being_saved(drive):
    release, seen, session = threading.Event(), [], drive.session
    session.work.immediate = False

    def begin(title):
        session.work.start(title, title, lambda job: release.wait(PATIENCE), lambda _: seen.append(title))

    begin("counting")
    begin(f"{SAVING} a file")
    drive.explorer.poll()
    drive.pixels()
    said = drive.overlay.working.get_text()
    assert "counting" in said and said.endswith(" · Backspace cancels")
    drive.press("backspace")
    assert session.presentation.status == f"cancelled: counting; still {SAVING} a file"
    assert "counting" not in session.presentation.progress and SAVING in session.presentation.progress
    release.set()
    wait_for(lambda: not session.poll())
    assert seen == [f"{SAVING} a file"]
    drive.press("backspace")
    assert session.presentation.status == "nothing to cancel"
