"""The demo's last step, without the steps before it."""

import pytest

from oodretrieval import demo
from oodretrieval.experiment.run import Run


@pytest.mark.parametrize(("problem", "opened"), [(None, ["streets_test"]), ("there is no display", [])])
def test_the_explorer_opens_at_the_end_where_there_is_a_display(monkeypatch, problem, opened):
    catalogues = []
    monkeypatch.setattr(demo, "display_problem", lambda: problem)
    monkeypatch.setattr(
        demo, "discover_embedding_space", lambda settings, *_: catalogues.append(settings.embeddings_file)
    )
    demo.explore_if_possible("streets_test", Run(None, None))
    assert catalogues == opened


def test_it_can_be_switched_off():
    assert demo.DemoSettings().explore
    assert not demo.DemoSettings(explore=False).explore
