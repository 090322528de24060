"""What workers are told: reference solutions and hidden judges, an instructor's too, and what no answer may see."""

from types import SimpleNamespace

import pytest

from course.authoring.new_exercise import new_exercise
from course.errors import GradingError
from course.grading.run.gather_settings import gather_settings, reference_notebooks
from tests.conftest import ROOT

BOOK = SimpleNamespace(secret="s")


@pytest.fixture
def ours(tmp_path, monkeypatch):
    new_exercise("02-count-all", into=tmp_path / "ours")
    monkeypatch.setenv("COURSE_EXERCISES", str(tmp_path / "ours"))
    return tmp_path / "ours"


def test_exercises_of_others_come_with_their_solutions_and_judges_and_are_kept_from_answers(ours):
    settings = gather_settings(BOOK)
    assert [number for number, _ in settings.canary].count("02") == 2
    assert {"nb02_freeze_the_backbone.py", "nb02_count_all.py"} <= {name for name, _ in settings.hidden}
    assert {str(ours), str(ROOT / "solutions")} <= set(settings.private)


def test_two_files_of_hidden_judges_with_one_name_are_refused(ours):
    (ours / "solutions" / "hidden" / "nb02_count_all.py").rename(
        ours / "solutions" / "hidden" / "nb02_freeze_the_backbone.py"
    )
    with pytest.raises(GradingError, match="two folders of hidden judges hold nb02_freeze_the_backbone"):
        gather_settings(BOOK)


def test_without_reference_solutions_nothing_is_graded_and_reports_do_without(tmp_path):
    assert reference_notebooks(tmp_path) == []
    with pytest.raises(GradingError, match="pass --solutions FOLDER"):
        gather_settings(BOOK, solutions=tmp_path)
