"""Reviewing: started on what is selected or shown, answered by one key each, ranked again after each page."""

from oodretrieval.explorer.details import FourPanels, ReviewPage, WholeImage
from oodretrieval.explorer.review import NAMES, Review, tag_of
from oodretrieval.explorer.session import SELECTED, Session
from oodretrieval.search.feedback import Answer, RelevanceFeedback, usable_prior

REVIEWED = "review"
"""Title of the job that shows a page."""


def start_review(session: Session) -> None:
    """Show the twelve candidates most worth a look, of those selected, else of all that are shown.

    What repeats in near frames is there once.

    Args:
        session: Whose view.
    """
    state = session.state
    rows = state.selection.scope
    if state.ranking is not None:
        rows = rows[state.ranking.first[rows] == rows]
    if not len(rows):
        session.say("nothing to review: only repetitions are shown")
        return
    closed = session.closed_review
    if closed is not None and closed.is_of(rows):
        closed.resume()
        _begin(session, closed)
        return
    prior = usable_prior(state.segments.scores[rows] if state.segments.select_by else None)
    everything = len(rows) == len(state)

    def begin() -> Review:
        vectors = state.vectors if everything else state.vectors[rows]
        return Review(state.tags, RelevanceFeedback(vectors, prior, seed=state.settings.seed), rows)

    def take(review: Review) -> None:
        review.subscribe(lambda changed: _show(session, review))
        _begin(session, review)

    session.work.start("review", f"ranking {len(rows)} candidates", lambda job: begin(), take)


def _begin(session: Session, review: Review) -> None:
    session.review = review
    next_review_page(session)


def next_review_page(session: Session) -> None:
    """Rank again by what was answered, and show the next twelve.

    Args:
        session: Whose view.
    """
    review = _review(session)
    if review is None:
        return

    def take(page: tuple[int, ...]) -> None:
        if session.review is not review:
            return
        if page:
            review.show(page)
        else:
            is_part = len(review) < len(session.state)
            others = "; x selects nothing, v then reviews all that is shown" if is_part else ""
            session.say(f"all {len(review)} candidates are answered or named: {review.progress}{others}")

    session.work.start("review", "ranking again", lambda job: review.ranked_again(), take)


def answer_of_interest(session: Session) -> None:
    """This candidate is of interest.

    Args:
        session: Whose view.
    """
    give_answer(session, True)


def answer_not_of_interest(session: Session) -> None:
    """This candidate is not of interest.

    Args:
        session: Whose view.
    """
    give_answer(session, False)


def answer_name(session: Session) -> None:
    """This candidate is what the number that was pressed stands for.

    Args:
        session: Whose view.
    """
    review = _review(session)
    if review is None:
        return
    digit = session.presentation.key
    number = int(digit) - 2 if digit.isdecimal() else NAMES
    if number < len(review.names):
        give_answer(session, review.names[number])
    else:
        session.say(f"no name on {digit} yet; w names the candidate, and the name gets the next number")


def next_in_review(session: Session) -> None:
    """Go to the next candidate of the page.

    Args:
        session: Whose view.
    """
    _move(session, 1)


def previous_in_review(session: Session) -> None:
    """Go to the candidate of the page before.

    Args:
        session: Whose view.
    """
    _move(session, -1)


def follow_tags(session: Session, changed: frozenset[str]) -> None:
    """Take answers that were given as tags, or taken back, somewhere else; undoing leads back to the candidate.

    Args:
        session: Whose view.
        changed: Attributes of the state.
    """
    review = session.review
    if "tags" not in changed or review is None:
        return
    with review.together():
        rows = review.take_answers()
        if session.state.history.is_replaying:
            review.follow_undo(rows)


def _review(session: Session) -> Review | None:
    if session.review is None:
        session.say("no review is under way; v starts one")
    return session.review


def give_answer(session: Session, answer: Answer) -> None:
    """Answer for the candidate at hand, and go on; after the last one of a page to the next page.

    Args:
        session: Whose view.
        answer: True, False, or a name.

    Raises:
        StoreError: If the answer cannot be saved, or the name is none.
    """
    review = _review(session)
    if review is None:
        return
    review.answer(answer)
    session.say(review.progress)
    if review.is_page_done:
        next_review_page(session)


def is_at_hand(session: Session) -> bool:
    """Whether what is shown is the candidate at hand of a review, and not a selection or another candidate.

    Args:
        session: Whose view.

    Returns:
        Whether a page of a review is shown, or its candidate in another way.
    """
    review, shown = session.review, session.presentation
    if review is None or not review.page or session.work.coming("detail") == SELECTED:
        return False  # also where what a lasso selected is still being read
    if isinstance(shown.detail, WholeImage | FourPanels):
        return shown.marked in (None, review.page[review.place])
    return isinstance(shown.detail, ReviewPage)


def _move(session: Session, by: int) -> None:
    review = _review(session)
    if review is not None:
        review.move(by)


def _show(session: Session, review: Review) -> None:
    """Show the page as it stands."""
    if session.review is not review or not review.page:
        return
    state, rows = session.state, review.page
    answers = tuple(review.answer_of(row) for row in rows)
    captions = tuple(
        f"{state.segments.classes.predicted_name(row)}\n{tag_of(answer)}"
        for row, answer in zip(rows, answers, strict=True)
    )
    keys = [
        "1 of interest",
        "0 not",
        *(f"{i} {name}" for i, name in enumerate(review.names, 2)),
        "w new name",
    ]
    heading = f"Review of {len(review)}: {review.progress}\n{' · '.join(keys)} · Enter: next twelve"
    colours = tuple(_colour(session, answer) for answer in answers)
    place, curve = review.place, review.curve
    session.presentation.marked = rows[place]

    def read() -> ReviewPage:
        pictures = session.thumbnails.of_rows(rows)
        return ReviewPage(heading, rows, pictures, captions, colours, place, curve)

    session.show_detail(REVIEWED, read)


def _colour(session: Session, answer: Answer) -> str:
    """The colour of the answer's tag; empty without an answer."""
    name = tag_of(answer)
    return session.state.tags.colour(name) if name in session.state.tags.names else ""
