"""A result is readable, and nothing in it is obeyed by a browser or a terminal."""

from html.parser import HTMLParser

from course.judging.card import as_html, hints_as_html
from course.judging.runner import Failure
from course.judging.verdict import Outcome, Result

EVIL = "<script>alert(1)</script>\"'&\x1b[31m\ud800\x00"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)
        assert all(not name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def evil_result():
    outcomes = (Outcome("a", EVIL, 2, False, EVIL, EVIL, EVIL, EVIL), Outcome("b", EVIL, 1, True))
    return Result("02-x", EVIL, "graded", outcomes, Failure("error", EVIL, EVIL), EVIL, (EVIL,))


def test_everything_in_the_html_is_escaped():
    html = as_html(evil_result())
    page = Tags(html)
    assert "script" not in page.tags and page.open == []
    assert page.tags <= {"style", "div", "h4", "ul", "li", "span", "small", "dl", "dt", "dd", "code", "p"} | {
        "details",
        "summary",
        "pre",
    }
    assert page.text.count("<script>alert(1)</script>") >= 8
    assert not set("\x1b\x00\ud800") & set(html)


def test_the_text_holds_no_control_characters():
    text = str(evil_result())
    assert not set("\x1b\x00\ud800") & set(text)
    assert text.encode("utf-8")


def test_the_text_has_a_line_for_each_judge_and_its_reasons():
    outcomes = (Outcome("a", "It is A.", 2, False, "t", "g", "e", "because"), Outcome("b", "It is B.", 1, True))
    assert str(Result("02-x", "X", "graded", outcomes, printed="one\ntwo", notes=("n",))).splitlines() == [
        "✗ 02-x: 1 of 3 points",
        "  ✗ It is A. (0 of 2 points)",
        "      tried: t",
        "      got: g",
        "      expected: e",
        "      why: because",
        "  ✓ It is B. (1 of 1 point)",
        "  note: n",
        "  your code printed:",
        "    one",
        "    two",
    ]


def test_what_was_tried_is_prose_and_what_came_back_code():
    outcome = Outcome("a", "It is A.", 2, False, "a model whose `<stage1>` you froze", "(1, 2)", "3", "because")
    html = as_html(Result("02-x", "X", "graded", (outcome,)))
    assert "<dd>a model whose <code>&lt;stage1&gt;</code> you froze</dd>" in html
    assert "<dd><code>(1, 2)</code></dd>" in html


def test_a_right_answer_needs_no_hint():
    result = Result("02-x", "X", "graded", (Outcome("b", "It is B.", 1, True),))
    assert str(result).splitlines() == ["✓ 02-x: 1 of 1 point", "  ✓ It is B. (1 of 1 point)"]
    assert 'class="course-card right"' in as_html(result) and "hint(" not in as_html(result)


def test_an_open_one_says_so_and_why():
    result = Result("02-x", "X", "not attempted", (Outcome("b", "B", 1, False),), notes=("`f` is not defined",))
    assert str(result) == "○ 02-x: not attempted yet (1 point)\n  note: `f` is not defined"
    assert "not attempted yet" in as_html(result) and "<code>f</code> is not defined" in as_html(result)


def test_the_newest_hint_stands_first_and_those_before_it_are_folded():
    page = Tags(hints_as_html("02-x", [("hint 2 of 3", f"call `f`, {EVIL}"), ("hint 1 of 3", EVIL)]))
    assert page.tags <= {"style", "div", "h4", "p", "b", "code", "details", "summary"} and page.open == []
    assert page.text.index("Hint 2 of 3") < page.text.index("The hints before it") < page.text.index("Hint 1 of 3")
    assert "details" not in Tags(hints_as_html("02-x", [("hint 1 of 3", "a")])).tags


def test_a_failure_is_said_once():
    outcomes = tuple(Outcome(name, name, 1, False, because="it broke") for name in "abc")
    result = Result("02-x", "X", "error", outcomes, Failure("error", "it broke", "line 3"))
    assert str(result).count("it broke") == as_html(result).count("it broke") == 1
    assert "line 3" in str(result) and "line 3" in as_html(result)


def test_a_reason_that_stands_above_is_not_said_again():
    outcomes = [Outcome(name, f"It is {name}.", 1, False, "t", "g", "e", "the shape is wrong") for name in "AB"]
    result = Result("02-x", "X", "graded", (*outcomes, Outcome("C", "It is C.", 1, False, because="another")))
    assert str(result).count("the shape is wrong") == Tags(as_html(result)).text.count("the shape is wrong") == 1
    assert [line for line in str(result).splitlines() if "why:" in line] == [
        "      why: the shape is wrong",
        "      why: as above",
        "      why: another",
    ]
