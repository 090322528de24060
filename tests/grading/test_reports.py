"""The pages of learners and of the class: what they say, what they keep back, and that nothing in them comes alive."""

import base64
import hashlib
import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from course.errors import GradingError
from course.grading.gradebook.book import Gradebook
from course.grading.grades import (
    CRASHED,
    ERROR,
    GRADED,
    MACHINERY,
    NOT_ATTEMPTED,
    STATUSES,
    TAMPERED,
    TIMEOUT,
    Grade,
    Submission,
    digest,
)
from course.grading.reports.charts import histogram
from course.grading.reports.files import file_name, write_if_changed
from course.grading.reports.markup import prose
from course.grading.reports.path_redaction import without_places
from course.grading.reports.status_texts import STATUS, standing_of
from course.grading.reports.write import write_reports
from course.judging.exercise import find_exercise
from course.judging.runner import Failure, LocalRunner
from course.judging.verdict import Outcome, judge_exercise
from course.legible import legible, shortened
from tests.conftest import ROOT
from tests.exercises.samples import all_judges
from tests.wrong import nb02_freeze_the_backbone as wrong

FREEZE, TRAIN = "02-freeze-backbone", "02-set-train-mode"
NOON = datetime(2025, 11, 3, 12, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><style>*{display:none}",
    "</title></pre></textarea><iframe srcdoc='<script>1</script>'>",
    "<!-- --!> <![CDATA[ x ]]> <?php ?>",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\ \x9b31m",
    "nul\x00 bell\x07 back\x08 del\x7f return\rover",
    "\ud800 lone \udfff",
    "\u202ereversed\u202c \u2066isolated\u2069 \u200fmark \u061c \u2028line",
    "{{ 7 * 7 }} {% raw %} {# #}",
    "`<b>code</b>` `",
    "javascript:alert(1)",
    "z" + "\u0301" * 500,
    "x" * 100_000,
]
VOID = {"meta", "br", "input", "link", "img", "hr", "wbr"}


class Page(HTMLParser):
    """A page as a browser would parse it: every tag, every attribute, the text, and that the tags are balanced."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.open, self.ids = set(), [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(tag, *attribute) for attribute in attributes]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")

    unknown_decl = handle_pi

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    @property
    def shape(self):
        return self.tags, {(tag, name) for tag, name, _ in self.attributes}


def page(path):
    return Page(path.read_text(encoding="utf-8"))


def submit(book, learner, content, *, at=NOON, notebook="02", exercises=(FREEZE,), **options):
    name = digest(content.encode("utf-8", "surrogatepass"))
    book.add_submission(
        Submission(learner, Path("subs/x.ipynb"), handed_in=at, late=options.pop("late", False)),
        name,
        notebook=notebook,
        exercises=exercises,
        **options,
    )
    return name


def a_grade(submission, *, status=GRADED, score=2.0, exercise=FREEZE, **options):
    values = {
        "judges": "j1",
        "seed": "s1",
        "points": 4.0,
        "graded_at": NOON,
        "source": "def freeze(m):\n    return m\n",
    }
    return Grade(submission, exercise, status=status, score=score, **values | options)


def judged(submission, answer, exercise_id=FREEZE):
    """A grade as the grader makes it, by the real judges, the hidden ones included."""
    exercise = find_exercise(exercise_id)
    result = judge_exercise(exercise, LocalRunner({exercise.answer: answer}), judges=all_judges(exercise), secret="s")
    return a_grade(
        submission,
        status=result.status,
        score=float(result.score),
        points=float(result.points),
        exercise=exercise_id,
        outcomes=result.outcomes,
        failure=result.failure,
        printed=result.printed,
    )


@pytest.fixture
def book(tmp_path):
    with Gradebook.open(tmp_path / "grades.sqlite") as book:
        yield book


def test_a_learner_reads_what_was_tried_got_expected_and_why_and_hints(book, tmp_path):
    book.add_grade(judged(submit(book, "anna", "1"), wrong.typo_require_grad))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    assert "Freeze a module" in text and "0 of 4 points" in text and "Not solved yet" in text
    assert "2 SGD steps on a model whose backbone you froze" in text
    assert "6 of its 6 parameters moved" in text and "none moved" in text
    assert "require_grad is a typo that Python accepts" in text
    assert find_exercise(FREEZE).hints[0].replace("`", "") in text.replace("`", "")
    assert "Every grading of a notebook draws its own inputs" in text


def test_a_solved_exercise_shows_no_hints(book, tmp_path):
    book.add_grade(judged(submit(book, "anna", "1"), wrong.freezes_through_the_module))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    assert "Solved 4 of 4 points" in text
    assert "Hint" not in text


def test_a_hidden_judge_is_a_title_for_the_learner_and_all_of_it_for_the_instructor(book, tmp_path):
    secrets = {"tried": "SECRET-TRIED", "got": "SECRET-GOT", "expected": "SECRET-EXPECTED", "because": "SECRET-BECAUSE"}
    outcomes = (
        Outcome("hidden", "Works on a transformer.", 1, False, hidden=True, **secrets),
        Outcome("seen", "Freezes.", 1, False, tried="SEEN-TRIED", because="SEEN-BECAUSE"),
    )
    book.add_grade(a_grade(submit(book, "anna", "1"), score=0.0, outcomes=outcomes, source="SECRET-OF-NOBODY"))
    write_reports(book, tmp_path / "out")
    learner = (tmp_path / "out/learners/anna.html").read_text()
    assert "SECRET" not in learner
    assert "Works on a transformer." in learner and "hidden check" in learner
    assert "SEEN-TRIED" in learner and "SEEN-BECAUSE" in learner
    assert "instructor" not in learner.replace("tell your instructor", "") and "index.html" not in learner
    instructor = (tmp_path / "out/instructor/anna.html").read_text()
    assert all(secret in instructor for secret in secrets.values())


def test_an_error_shows_its_message_once_with_the_learners_own_traceback_and_output(book, tmp_path):
    def broken(module):
        print("got here")
        raise ValueError("shapes <3> and <4> differ")

    book.add_grade(judged(submit(book, "anna", "1"), broken))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    assert text.count("raised ValueError: shapes <3> and <4> differ") == 1
    assert 'raise ValueError("shapes <3> and <4> differ")' in text
    assert "got here" in text


@pytest.mark.parametrize("status", [*STATUSES, "waiting"])
def test_every_status_says_in_words_what_to_do(book, tmp_path, status):
    name = submit(book, "anna", "1")
    if status != "waiting":
        score = None if status == MACHINERY else 0.0
        failure = Failure("x", "/root/machine says no")
        book.add_grade(a_grade(name, status=status, score=score, failure=failure, isolation="trusted"))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    words = STATUS["wrong" if status == GRADED else status]
    assert words.label in text
    assert words.advice.replace("`", "") in text
    assert ("/root/machine" in text) == (status not in (MACHINERY, "waiting"))
    if status in (MACHINERY, "waiting"):
        assert "1 exercise without a score yet" in text
    else:
        assert ("ran without a sandbox" in text) == (status != NOT_ATTEMPTED)


def test_an_answer_that_raised_in_a_hidden_check_alone_is_not_told_of_a_message(book, tmp_path):
    outcomes = (
        Outcome("seen", "Freezes.", 2, False, tried="SEEN-TRIED", got="SEEN-GOT"),
        Outcome("hidden", "Works on a transformer.", 2, False, because="SECRET", hidden=True),
    )
    book.add_grade(a_grade(submit(book, "anna", "1"), status=ERROR, score=0.0, outcomes=outcomes))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    assert "In a hidden check your code raised an error" in text and "SEEN-GOT" in text
    assert "The message says" not in text and "SECRET" not in text


def test_where_things_lie_on_the_grading_machine_is_told_to_instructors_alone(book, tmp_path):
    lies = "/srv/a/course/course/judging/runner.py"
    told = f'File "{lies}" and /root/.pyenv/versions/3.11.7/lib/python3.11/ast.py'
    failure = Failure("error", f"`freeze` raised ValueError: {told}", f"{told}, line 3")
    outcomes = (Outcome("a", "Freezes.", 4, False, tried="x", got=told, because=told),)
    grade = a_grade(
        submit(book, "anna", "1"), score=0.0, outcomes=outcomes, failure=failure, printed=f"{told} /srv/a/co"
    )
    book.add_grade(grade)
    write_reports(book, tmp_path / "out")
    learner = page(tmp_path / "out/learners/anna.html").text
    assert "/srv" not in learner and "/root" not in learner
    assert learner.count('File "course/judging/runner.py" and python/ast.py') == 5
    assert lies in page(tmp_path / "out/instructor/anna.html").text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no path, 1/2", "no path, 1/2"),
        ("/usr/lib/python3/dist-packages/apt/x.py", "dist-packages/apt/x.py"),
        ("('/v/lib/python3.11/site-packages/torch/nn.py', 3)", "('site-packages/torch/nn.py', 3)"),
        ("/usr/lib/python311.zip:/usr/bin/python3.11 -m", "python:python -m"),
        ("/home/me/course/notes.txt and data/course/x.py", "/home/me/course/notes.txt and data/course/x.py"),
        ("https://example.org/course/grading/x", "https://example.org/course/grading/x"),
        ("/srv/course/grading/x.py and /srv/course/gra", "course/grading/x.py and course/gra"),
        ("/srv/a/course/grading/x.py /srv/a/cou", "course/grading/x.py …"),
    ],
)
def test_paths_of_python_and_of_the_course_are_shortened_and_no_others(text, shown):
    assert without_places(text) == shown


def test_each_room_of_the_course_is_known_as_a_place():
    rooms = [path.parent.name for path in (ROOT / "course").glob("*/__init__.py")]
    assert len(rooms) > 10
    for room in rooms:
        assert without_places(f"/srv/a/course/course/{room}/x.py") == f"course/{room}/x.py"


def test_what_a_share_is_of_and_how_much_was_handed_in_are_told_apart(book, tmp_path):
    for notebook, exercise in (("02", FREEZE), ("05", "05-read-folder")):
        book.add_grade(
            a_grade(submit(book, "anna", notebook, notebook=notebook, exercises=(exercise,)), exercise=exercise)
        )
    book.add_grade(a_grade(submit(book, "ben", "ben"), score=4.0))
    book.add_grade(a_grade(submit(book, "cy", "cy"), status=NOT_ATTEMPTED, score=0.0))
    book.add_grade(a_grade(submit(book, "dora", "dora"), status=MACHINERY, score=None))
    submit(book, "eve", "eve", notebook="", exercises=(), problem="no notebook")
    submit(book, "fay", "fay", notebook="capstone", exercises=())
    text = page(write_reports(book, tmp_path / "out")).text
    assert "6 learners handed in 5 notebooks, 1 capstone, 1 unreadable file" in text
    assert "Points% of what was handed inHanded inLate" in text
    assert "2 notebooks and the capstone" in text
    assert "anna4502 of 3" in text and "ben41001 of 3" in text and "cy001 of 3" in text and "dora––1 of 3" in text
    assert "eve unreadable, no score––0 of 3" in text
    assert "1 attempted nothing, 1 unreadable, 2 without a score yet." in text


def test_every_status_has_its_words():
    grades = [
        None,
        *(a_grade("x", status=status, score=score) for status in STATUSES for score in (None, 0.0, 2.0, 4.0)),
    ]
    assert {standing_of(grade) for grade in grades} == set(STATUS)


def test_notes_history_and_lateness_are_told(book, tmp_path):
    first = submit(book, "anna", "1", at=NOON)
    second = submit(book, "anna", "2", at=NOON + timedelta(days=2), late=True)
    book.add_grade(a_grade(first, score=4.0))
    book.add_grade(a_grade(second, score=1.0, notes=("2 cells hold this exercise; the last one counts",)))
    write_reports(book, tmp_path / "out")
    text = page(tmp_path / "out/learners/anna.html").text
    assert "1 of 4 points" in text and "2 cells hold this exercise; the last one counts" in text
    assert "2025-11-03 12:00 UTC 4 of 4 no" in text
    assert "2025-11-05 12:00 UTC 1 of 4 yes late." in text
    write_reports(book, tmp_path / "out", policy="best")
    text = page(tmp_path / "out/learners/anna.html").text
    assert "2025-11-03 12:00 UTC 4 of 4 yes" in text and "The one with the most points counts." in text


def test_a_notebook_that_cannot_be_read_has_a_page_that_says_why(book, tmp_path):
    submit(book, "anna", "1", notebook="", exercises=(), problem="x.ipynb is <no> notebook; ask for it again")
    write_reports(book, tmp_path / "out")
    assert "x.ipynb is <no> notebook; ask for it again" in page(tmp_path / "out/learners/anna.html").text
    class_ = page(tmp_path / "out/index.html").text
    assert "Cannot be read: 1" in class_ and "anna unreadable, no score––0 of 0" in class_
    own = page(tmp_path / "out/learners/anna.html").text
    assert own.startswith("anna: unreadable, no score") and "x.ipynb: unreadable, no score" in own
    assert "draws its own inputs" not in own
    assert "0 of 0" not in own


def test_an_exercise_of_another_version_of_the_course_is_shown_by_its_id(book, tmp_path):
    name = submit(book, "anna", "1", notebook="77", exercises=("77-fly",))
    book.add_grade(a_grade(name, exercise="77-fly"))
    write_reports(book, tmp_path / "out")
    assert "77-fly" in page(tmp_path / "out/learners/anna.html").text
    assert "Notebook 77" in page(tmp_path / "out/learners/anna.html").text


def test_an_empty_gradebook_has_a_page(book, tmp_path):
    text = page(write_reports(book, tmp_path / "out")).text
    assert "0 learners" in text and "None found." in text


def hostile_class(book, texts):
    for place, text in enumerate(texts):
        name = submit(book, text, f"{place}", problem=text if place % 2 else "", exercises=(FREEZE, TRAIN))
        outcomes = (
            Outcome("a", text, 2, False, tried=text, got=text, expected=text, because=text),
            Outcome("b", text, 2, False, tried=text, got=text, expected=text, because=text, hidden=True),
        )
        told = {"failure": Failure("error", text, text), "printed": text, "notes": (text,), "machine": text[:300]}
        source = f"def freeze(m):\n    {'m.x(m.y + 1)[m.z] = 3;' * 30}\n" + "".join(f"# {text}\n" for _ in range(2))
        book.add_grade(a_grade(name, score=0.0, outcomes=outcomes, source=source, **told))
        status = (TAMPERED, CRASHED, TIMEOUT)[place % 3]
        book.add_grade(a_grade(name, exercise=TRAIN, status=status, score=0.0, outcomes=outcomes, **told))


def test_no_text_of_a_learner_becomes_a_tag_or_an_attribute(tmp_path):
    shapes = []
    for kind, texts in (("plain", [f"word{place}" for place in range(len(HOSTILE))]), ("hostile", HOSTILE)):
        with Gradebook.open(tmp_path / f"{kind}.sqlite") as book:
            hostile_class(book, texts)
            write_reports(book, tmp_path / kind)
        pages = [page(path) for path in sorted((tmp_path / kind).rglob("*.html"))]
        assert len(pages) == 2 * len(HOSTILE) + 1
        tags, attributes = (set().union(*parts) for parts in zip(*(found.shape for found in pages), strict=True))
        shapes.append((tags, attributes))
        for found in pages:
            assert len(found.ids) == len(set(found.ids))
            for tag, name, value in found.attributes:
                assert not name.startswith("on") and name not in ("style", "src", "srcdoc", "action")
                if name == "href":
                    assert re.fullmatch(r"(#|\.\./)?[\w/%.-]+", value), value
                if tag == "meta" and name == "http-equiv":
                    assert value == "Content-Security-Policy"
    plain, hostile = shapes
    assert hostile[0] <= plain[0] and hostile[1] <= plain[1]
    assert {"script", "style"} <= hostile[0] and not {"img", "iframe", "object", "link", "base"} & hostile[0]


def test_hostile_text_is_there_to_be_read_and_nothing_in_it_is_obeyed(tmp_path):
    with Gradebook.open(tmp_path / "g.sqlite") as book:
        hostile_class(book, HOSTILE)
        index = write_reports(book, tmp_path / "out")
    for path in index.parent.rglob("*.html"):
        content = path.read_bytes()
        text = content.decode("utf-8")
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
        assert len(content) < 400_000
    text = page(index).text
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "[U+202E]reversed" in text
    assert "nul\\x00 bell␇" in text or "nul␀ bell␇" in text


def test_the_policy_of_each_page_allows_its_own_style_and_script_and_nothing_else(book, tmp_path):
    book.add_grade(a_grade(submit(book, "anna", "1")))
    index = write_reports(book, tmp_path / "out")
    for path, scripts in (
        (index, 1),
        (index.parent / "learners/anna.html", 0),
        (index.parent / "instructor/anna.html", 0),
    ):
        text = path.read_text(encoding="utf-8")
        found = Page(text)
        (policy,) = [value for tag, name, value in found.attributes if name == "content" and "default-src" in value]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
        for tag, count in (("style", 1), ("script", scripts)):
            contents = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
            hashes = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
            assert len(contents) == count
            assert rules.get(f"{tag}-src", "") == " ".join(f"'sha256-{value}'" for value in hashes)
        assert "unsafe" not in policy and "http" not in re.sub(r"</?style>.*?</style>|http-equiv", "", text)


def test_no_template_marks_anything_safe():
    for path in (ROOT / "course/grading/reports/templates").glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x1b", "␛"),
        ("a\x00b", "a␀b"),
        ("a\u202eb", "a[U+202E]b"),
        ("\ud83d", "\ufffd"),
        ("é 李 محمد 👩‍💻 ½", "é 李 محمد 👩‍💻 ½"),
    ],
)
def test_odd_characters_are_dropped_or_shown_as_signs(text, shown):
    assert legible(text) == shown


def test_code_in_backticks_is_escaped_as_well():
    assert prose("`<b>` & `x") == "<code>&lt;b&gt;</code> &amp; `x"


def test_a_long_text_keeps_its_ends():
    assert shortened("x", 10) == "x"
    short = shortened("a" * 500_000 + "b" * 500_000, 3_000)
    assert len(short) < 3_100
    assert short.startswith("aaa") and short.endswith("bbb") and "997,000 characters left out" in short


NAMES = [
    *("anna", "Anna", "ANNA", "anna ", "an na", "an-na", "../x", "..", ".", "", "/etc/passwd", "C:\\x", "con", "index"),
    *("a" * 300, "a" * 299, "李华", "محمد", "\u202eexe.png", "x\x00y", "\ud800", "\udfff", "?*<>|", "é", "e\u0301"),
    *("-rf", "~", "a.html", "anna-" + file_name("Anna")[-10:], file_name("Anna"), "💥" * 90),
]


def test_every_name_has_a_file_of_its_own_in_the_folder(tmp_path):
    files = [file_name(name) for name in NAMES]
    assert len({name.casefold() for name in files}) == len(set(NAMES)) == len(NAMES)
    assert files == [file_name(name) for name in NAMES]
    for name in files:
        path = tmp_path / f"{name}.html"
        assert path.parent == tmp_path and len(path.name.encode()) < 150
        assert re.fullmatch(r"\w[\w-]*", name), name
        assert write_if_changed(path, "x")
    assert len(list(tmp_path.iterdir())) == len(NAMES)
    assert file_name("anna") == "anna" and file_name("con") != "con"


def test_hostile_names_stay_in_the_folder(book, tmp_path):
    for place, name in enumerate(NAMES):
        book.add_grade(a_grade(submit(book, name, str(place))))
    index = write_reports(book, tmp_path / "a/b/out")
    links = {value for tag, name, value in page(index).attributes if tag == "a" and name == "href"}
    assert len({link for link in links if link.startswith("instructor/")}) == len(book.learners())
    assert {path.name for path in tmp_path.rglob("*.html")} == {"index.html"} | {
        f"{file_name(name)}.html" for name in book.learners()
    }
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == {"out"}


def test_a_page_is_rewritten_only_when_it_says_something_else(book, tmp_path):
    for learner in ("anna", "ben"):
        book.add_grade(a_grade(submit(book, learner, learner)))
    index = write_reports(book, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in index.parent.rglob("*.html")}
    write_reports(book, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    book.add_grade(a_grade(submit(book, "ben", "again", at=NOON + timedelta(days=1)), score=3.0))
    write_reports(book, tmp_path / "out")
    changed = {path.name for path in before if path.stat().st_mtime_ns != before[path]}
    assert changed == {"index.html", "ben.html"}
    assert not [path for path in index.parent.rglob("*") if path.suffix not in ("", ".html")]


def test_a_report_that_cannot_be_written_says_what_to_do_and_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(GradingError, match="the grades are safe in the gradebook"):
        write_if_changed(tmp_path / "file" / "x.html", "text")
    (tmp_path / "old").mkdir()
    with pytest.raises(GradingError):
        write_if_changed(tmp_path / "old", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "old"]


def test_the_class_page_counts_mistakes_by_learner_and_names_the_hidden_ones(book, tmp_path):
    for learner in ("anna", "ben", "cy"):
        book.add_grade(judged(submit(book, learner, learner), wrong.typo_require_grad))
    book.add_grade(judged(submit(book, "dora", "dora"), wrong.freezes_through_the_module))
    text = page(write_reports(book, tmp_path / "out")).text
    assert "3 learners: require_grad is a typo that Python accepts" in text
    assert "1 of 4 solved it, 4 attempted it; mean 1, median 0." in text
    assert "Number of learners: 3 with 0 points, 1 with 4 points." in text
    assert "Freezing works on an encoder with attention and LayerNorm. (hidden) 1 of 4 passed" in text


def test_errors_that_answers_raised_are_counted_by_their_type_and_told_in_one_line(book, tmp_path):
    def raises(error):
        def freeze(module):
            raise error

        return freeze

    for place in range(3):
        answer = raises(ValueError(f"dump {place}\nof much\nthat is its own"))
        book.add_grade(judged(submit(book, f"learner{place}", str(place)), answer))
    book.add_grade(judged(submit(book, "dora", "dora"), raises(KeyError("mine alone"))))
    for learner in ("eve", "fay"):
        book.add_grade(judged(submit(book, learner, learner), wrong.typo_require_grad))
    text = page(write_reports(book, tmp_path / "out")).text
    text = text[text.index("What the checks said") : text.index("Answers that share")]
    assert "3 learners: ValueError 02-freeze-backbone For example: freeze raised ValueError: dump 0 Who" in text
    assert "1 learner: KeyError" in text
    assert (
        text.index("3 learners") < text.index("2 learners: require_grad is a typo") < text.index("1 learner: KeyError")
    )
    assert "of much" not in text and "dump 1" not in text


def test_a_name_from_the_roster_stands_beside_the_login(book, tmp_path):
    for place, learner in enumerate(("u1001@example.edu", "u1002@example.edu", "zoe")):
        submission = Submission(
            learner, Path("x.ipynb"), handed_in=NOON, full_name=("Zweig, Zoe", "Adams, Ada", "")[place]
        )
        book.add_submission(submission, learner, notebook="02", exercises=(FREEZE,))
        book.add_grade(a_grade(learner))
    index = write_reports(book, tmp_path / "out")
    class_ = page(index).text
    table = class_[class_.index("Filter") :]
    assert "Adams, Ada (u1002@example.edu)" in table and "Zweig, Zoe (u1001@example.edu)" in table
    assert table.index("Adams") < table.index("zoe") < table.index("Zweig")
    assert "u1001@<wbr>example.<wbr>edu" in index.read_text(), "a login breaks where its parts end"
    for folder in ("learners", "instructor"):
        path = tmp_path / "out" / folder / f"{file_name('u1002@example.edu')}.html"
        assert "Adams, Ada (u1002@example.edu): 2 of 4 points" in path.read_text()
        assert "Adams, Ada u1002@example.edu" in page(path).text


def test_the_class_page_lists_what_needs_attention(book, tmp_path):
    for learner, status in (("a", TAMPERED), ("b", MACHINERY), ("c", CRASHED), ("d", TIMEOUT), ("e", NOT_ATTEMPTED)):
        score = None if status == MACHINERY else 0.0
        failure = Failure("x", f"what happened to {learner}")
        book.add_grade(a_grade(submit(book, learner, learner), status=status, score=score, failure=failure))
    submit(book, "f", "f")
    book.add_grade(a_grade(submit(book, "g", "g"), isolation="trusted"))
    text = page(write_reports(book, tmp_path / "out")).text
    for heading in (
        *("Tampered: 1", "Failures of the grader: 1", "Not graded yet: 1", "Crashed: 1", "Took too long: 1"),
        "Ran without a sandbox: 1",
    ):
        assert heading in text
    assert all(f"what happened to {learner}" in text for learner in "abcd")
    assert "what happened to e" not in text


def test_a_copy_with_renamed_variables_is_listed_in_a_class_whose_answers_differ(book, tmp_path):
    loop = """def freeze_backbone(model):
    head = {{id(p) for p in model.fc.parameters()}}
    for name, parameter in model.named_parameters():
        parameter.requires_grad = id(parameter) in head and not name.startswith("{}")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.num_features > {}:
            module.eval()
    model.{} = sorted(head)[:{}]
    return model, len(head)
"""
    sources = {f"learner{place}": loop.format("abcdefghij"[place], place, f"kept{place}", place) for place in range(3)}
    sources |= {f"other{place}": f"def f(m):\n    return m.part{place}(m.x{place} + {place})\n" for place in range(20)}
    copy = re.sub(r"\b(head|parameter|module|name|p)\b", r"my_\1", sources["learner1"])
    for learner, source in (sources | {"copier": copy}).items():
        book.add_grade(a_grade(submit(book, learner, learner), source=source))
    text = page(write_reports(book, tmp_path / "out")).text
    assert "copier, learner1" in text or "copier, learner0, learner1" in text
    assert "my_head = {id(my_p) for my_p in model.fc.parameters()}" in text


def test_similar_answers_and_the_same_file_are_shown_with_their_sources(book, tmp_path):
    def long(seed):
        lines = [f"    m.x{seed}_{n} = [m.a{seed}{n}(i * {n}) for i in m.b{seed}{n}]" for n in range(12)]
        return "def freeze(m):\n" + "\n".join(lines)

    for place in range(10):
        book.add_grade(a_grade(submit(book, f"learner{place}", str(place)), source=long(place)))
    book.add_grade(
        a_grade(submit(book, "copier", "copied"), source=long(3).replace("m.", "module.").replace("(m)", "(module)"))
    )
    submit(book, "twin", "5")
    text = page(write_reports(book, tmp_path / "out")).text
    assert "copier, learner3: 02-freeze-backbone, the same but for names" in text
    assert "module.x3_0 = [module.a30(i * 0) for i in module.b30]" in text
    assert "The same file, byte for byte, in 02 Freeze the backbone: learner5, twin" in text
    text = page(write_reports(book, tmp_path / "out", references={FREEZE: long(3)})).text
    assert "copier, learner3: 02" not in text


def test_tables_have_captions_and_scopes_and_pictures_say_in_words_what_they_show(book, tmp_path):
    for score in (0.0, 1.0, 4.0):
        book.add_grade(a_grade(submit(book, f"learner{score:g}", str(score)), score=score))
    index = write_reports(book, tmp_path / "out")
    for path in (index, index.parent / "learners/learner1.html"):
        found = page(path)
        assert {"main", "header", "h1", "h2", "h3", "caption"} <= found.tags
        assert ("html", "lang", "en") in found.attributes
        heads = [tag for tag, name, _ in found.attributes if tag == "th" and name == "scope"]
        assert len(heads) == path.read_text().count("<th ")
        scrolled = [value for tag, name, value in found.attributes if name == "class" and "scroller" in (value or "")]
        assert len(scrolled) == path.read_text().count("<table")
    labels = [value for tag, name, value in page(index).attributes if tag == "svg" and name == "aria-label"]
    assert (
        "Points in 02-freeze-backbone. Number of learners: 1 with 0 points, 1 with 1 points, 1 with 4 points." in labels
    )


@pytest.mark.parametrize("points", [0, 1, 4, 2.5, 10, 11, 100])
def test_a_histogram_counts_everyone_once_within_its_frame(points):
    scores = [0, points / 3, points / 2, points, points]
    drawn = histogram(scores, points, unit="points", without={"none": 1, "?": 2, "…": 0})
    assert sum(column.count for column in drawn.columns) == 8
    assert "1 attempted nothing, 2 unreadable." in drawn.text
    assert drawn.columns[-1].kind == "full" and drawn.columns[0].kind == "none"
    if points:
        assert drawn.columns[-1].count == 2
    for column in drawn.columns:
        assert 0 <= column.x <= column.x + column.width <= drawn.width
        assert 0 < column.y <= column.y + column.height <= drawn.height


def big_class(book, learners=1_000, exercises=20):
    """Recorded at once, since a commit for each would be most of the test."""
    from course.grading.gradebook import schema
    from course.grading.gradebook.rows import grade_values, submission_values

    ids = [f"02-exercise-{number:02d}" for number in range(exercises)]
    outcomes = tuple(
        Outcome(f"judge{n}", f"Claim number {n}.", 1, n > 0, "tried this", "got that", "that", "because of this")
        for n in range(4)
    )
    submissions, grades = [], []
    for place in range(learners):
        name = digest(str(place).encode())
        handed_in = Submission(f"Learner {place:04d}", Path("x.ipynb"), handed_in=NOON)
        submissions.append(submission_values(handed_in, name, "02", ids, ""))
        for number, exercise in enumerate(ids):
            score = float((place * 7 + number) % 5)
            done = a_grade(name, exercise=exercise, score=score, outcomes=outcomes, printed="epoch 1\n")
            grades.append(grade_values(replace(done, source=f"def f(x):\n    return x.method{place}({number})\n")))
    with book._writing() as connection:
        connection.execute(schema.submissions.insert(), submissions)
        connection.execute(schema.grades.insert(), grades)


def test_a_class_of_two_hundred_is_written_in_seconds(book, tmp_path):
    big_class(book, learners=200)
    start = time.process_time()
    index = write_reports(book, tmp_path / "out")
    assert time.process_time() - start < 30  # 6 s on an idle core
    assert len(list(index.parent.rglob("*.html"))) == 401
    assert index.stat().st_size < 2_000_000


def chromium(url, *options):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium is installed")
    done = subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", *options, url],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_browser_runs_the_script_under_the_policy_and_nothing_of_a_learners(tmp_path):
    with Gradebook.open(tmp_path / "g.sqlite") as book:
        hostile_class(book, HOSTILE)
        index = write_reports(book, tmp_path / "out")
    done = chromium(index.as_uri(), "--dump-dom", "--enable-logging=stderr", "--v=0")
    assert f"{len(HOSTILE)} of {len(HOSTILE)} learners" in done.stdout
    assert "Refused to" not in done.stderr and "violates" not in done.stderr
    assert done.stdout.count("<script") == 1


def test_the_table_sorts_by_points_and_filters_in_a_browser(book, tmp_path):
    for learner, score in (("anna", 1.0), ("ben", 4.0), ("cy", 0.0), ("dora", None)):
        status = MACHINERY if score is None else GRADED
        book.add_grade(a_grade(submit(book, learner, learner, late=learner == "ben"), score=score, status=status))
    book.add_submission(
        Submission("anna", Path("subs/x.ipynb"), handed_in=NOON, full_name="Adams, Ada"),
        digest(b"anna"),
        notebook="02",
        exercises=(FREEZE,),
    )
    index = write_reports(book, tmp_path / "out")
    probe = """<script>
    const rows = () => [...document.querySelectorAll("#learners tbody tr")].filter((row) => !row.hidden);
    const names = () => rows().map((row) => row.cells[0].textContent).join(" ");
    const heads = [...document.querySelectorAll("#learners thead th")], said = [names()];
    for (const column of [1, 1, 5, 0]) {
      heads[column].firstChild.click();
      said.push(names() + " " + heads[column].getAttribute("aria-sort"));
    }
    const filter = document.getElementById("filter");
    for (const text of ["late", "solved", "machinery", "adams ada", ""]) {
      filter.value = text;
      filter.dispatchEvent(new Event("input"));
      said.push(names() + "; " + document.getElementById("shown").textContent);
    }
    document.title = said.join("|");
    </script></body>"""
    open_page = tmp_path / "open.html"  # the policy would not let the probe run
    text = re.sub("<meta http-equiv.*?>", "", index.read_text(encoding="utf-8")).replace("</body>", probe)
    open_page.write_text(text, encoding="utf-8")
    done = chromium(open_page.as_uri(), "--dump-dom")
    assert re.search("<title>(.*?)</title>", done.stdout)[1].split("|") == [
        "Adams, Ada (anna) ben cy dora",
        "ben Adams, Ada (anna) cy dora descending",
        "dora cy Adams, Ada (anna) ben ascending",
        "ben Adams, Ada (anna) cy dora descending",
        "Adams, Ada (anna) ben cy dora ascending",
        "ben; 1 of 4 learners",
        "ben; 1 of 4 learners",
        "dora; 1 of 4 learners",
        "Adams, Ada (anna); 1 of 4 learners",
        "Adams, Ada (anna) ben cy dora; 4 of 4 learners",
    ]
