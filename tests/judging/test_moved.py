"""Modules that have moved: the table is right, and whoever imports from an old place learns of the new one."""

import ast
import importlib
import importlib.util

import pytest

from course.judging.moved import MOVED, RENAMED, explanation
from course.judging.translation import old_imports, translated


def in_text(source):
    """The translated source, and what is said of it."""
    nodes = ast.parse(source).body
    before = ast.dump(ast.Module(nodes, []))
    text = "\n".join(ast.unparse(node) for made in translated(nodes) for node in made)
    assert ast.dump(ast.Module(nodes, [])) == before, "the trees are shared and must stay as they are"
    return text, [str(moved) for moved in old_imports(nodes)]


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_each_module_of_the_table_has_gone_to_where_the_table_says(old, new):
    package = old.rpartition(".")[0]
    found = importlib.util.find_spec(old) if importlib.util.find_spec(package) else None
    assert found is None or (found.submodule_search_locations and new.startswith(f"{old}."))
    assert importlib.util.find_spec(new).origin.endswith(".py")


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_each_name_of_the_table_is_where_the_table_says(old, new):
    module, _, name = new.rpartition(".")
    assert hasattr(importlib.import_module(module), name)
    assert (before := old.rpartition(".")[0]) in MOVED or importlib.util.find_spec(before)


TRANSLATIONS = {
    "from course.plots import show, STYLE as s": ("from course.notebook.plots import show, STYLE as s", "course.plots"),
    "from course import widgets": ("from course.notebook import questions as widgets", "course.widgets"),
    "from course import plots": ("from course.notebook import plots", "course.plots"),
    "from course import whole_file": ("from course import files as whole_file", "course.whole_file"),
    "from course import plots, check": ("from course.notebook import plots\nfrom course import check", "course.plots"),
    "import course.plots as p, json": ("import course.notebook.plots as p\nimport json", "course.plots"),
    "import course.plots\ncourse.plots.show(1)": (
        "import course.notebook.plots\nimport course.notebook.plots\ncourse.notebook.plots.show(1)",
        "course.plots",
    ),
    "import course\ncourse.text.encode": (
        "import course\nimport course.applications.text_models\ncourse.applications.text_models.encode",
        "course.text",
    ),
    "def f():\n    from course.lora import add_lora": (
        "def f():\n    from course.models.lora import add_lora",
        "course.lora",
    ),
    "try:\n    import course.plots as p\nexcept ImportError:\n    p = None": (
        "try:\n    import course.notebook.plots as p\nexcept ImportError:\n    p = None",
        "course.plots",
    ),
    "from course.exercises import narrow": ("from course.exercises import small_models as narrow", "exercises.narrow"),
    # What has another name is bound to the one that the answer knows.
    "from course.text import TextData": (
        "from course.applications.tokenization import TextDataset as TextData",
        "course.text",
    ),
    # What was a module is a package.
    "from course.training import fit": ("from course.training.loop import fit", "course.training"),
    "from course.training import fit, loop": (
        "from course.training.loop import fit\nfrom course.training import loop",
        "course.training",
    ),
    "from course.capstone import *": ("from course.capstone.handing_in import *", "course.capstone"),
    "from course import zoo\nzoo.catalogue()": (
        "from course.zoo import published as zoo\nzoo.catalogue()",
        "course.zoo",
    ),
    "import course.zoo as z\nz.catalogue()": ("import course.zoo.published as z\nz.catalogue()", "course.zoo"),
    "import course.training\ncourse.training.fit": (
        "import course.training\nimport course.training.loop\ncourse.training.loop.fit",
        "course.training",
    ),
}


@pytest.mark.parametrize("source", TRANSLATIONS)
def test_an_old_import_is_translated_and_the_new_one_is_named(source):
    text, (said, *more) = in_text(source)
    expected, old = TRANSLATIONS[source]
    assert text == expected
    assert old in said and not more
    nodes = ast.parse(text).body
    assert old_imports(nodes) == [], "what is written anew is not old"
    (moved,) = old_imports(ast.parse(source).body)
    assert old_imports(ast.parse(moved.instead).body) == [] and moved.instead in moved.note


@pytest.mark.parametrize(
    "source",
    [
        "from course.models import freeze\nfrom course import models, check, fit",
        "from course import training\ntraining.loop.fit",
        "from course import zoo, capstone",
        "import course.training\ncourse.training.loop.fit",
        "from course.notebook.plots import show",
        "from course.training import loop, metrics",
        "from . import plots\nfrom .plots import show",
        "from plots import show\nimport text\nimport courses.plots",
        "class Text:\n    text = 1\ncourse = Text()\ncourse.text",
        "import course\ndef f(course):\n    return course.text",
        "training = True\ntraining.real",
    ],
)
def test_what_is_not_old_stays_as_it_is(source):
    text, said = in_text(source)
    assert (ast.dump(ast.parse(text)), said) == (ast.dump(ast.parse(source)), [])


def test_a_translated_import_keeps_its_line():
    nodes = ast.parse("x = 1\n\nfrom course.plots import show\n").body
    ((new,),) = translated(nodes[1:])
    assert new.lineno == 3 and new.names[0].lineno == 3
    compile(ast.Module([new], []), "cell", "exec")


def test_a_tree_too_deep_to_be_translated_stays_as_it_is():
    source = "from course.plots import show\nx = course" + ".a" * 800
    import_, deep = ast.parse(source).body
    assert [len(made) for made in translated([import_, deep])] == [1, 1]
    assert translated([import_, deep])[1] == [deep]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import course.plots",
            "`course.plots` is now `course.notebook.plots`; write `from course.notebook import plots`",
        ),
        ("from course import plots", "write `from course.notebook import plots`"),
        ("import course; course.plots", "write `from course.notebook import plots`"),
        ("from course.training import fit", "write `from course.training.loop import fit`"),
        ("from course import training; training.fit", "write `from course.training.loop import fit`"),
        ("__import__('course.widgets')", "`course.widgets` is now `course.notebook.questions`"),
        ("from course.exercises import narrow", "`course.exercises.narrow` is now `course.exercises.small_models`"),
    ],
)
def test_an_error_of_an_old_import_is_explained(source, said):
    with pytest.raises((ImportError, AttributeError)) as caught:
        exec(source, {})
    assert said in explanation(caught.value)


@pytest.mark.parametrize(
    "source",
    ["import nowhere", "import course.nowhere", "from course import nowhere", "import json; json.x", "().x", "1/0"],
)
def test_other_errors_are_not_explained(source):
    with pytest.raises(Exception) as caught:
        exec(source, {})
    assert explanation(caught.value) == ""
