"""The README and the manuals: what they name is there, and what they promise is so."""

import json
import pkgutil
import re
import tomllib

from course.grading.exports.export import FORMATS
from tests.conftest import ROOT
from tests.test_layers import FOLDERS

README, INSIDE, INSTRUCTORS = (
    (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/inside.md", "docs/instructors.md")
)
CODE = re.compile(r"`([^`\n]+)`")


def prose(text):
    """A page without its listings."""
    return re.sub(r"(?ms)^```.*?^```", "", text)


def spans(text):
    """What stands in code marks outside listings: without a call's brackets."""
    return [span.removesuffix("()") for span in CODE.findall(prose(text))]


def test_every_file_named_on_the_page_for_maintainers_is_there():
    paths = [span for span in spans(INSIDE) if "/" in span and " " not in span]
    paths += re.findall(r"(?:pytest|python) (?:-m )?(\S*/\S*)", INSIDE.replace("`", " "))
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_module_and_function_named_on_the_page_for_maintainers_is_there():
    dotted = {span for span in spans(INSIDE) if re.fullmatch(r"[a-z]\w*(\.\w+)+", span)}
    assert len(dotted) > 40
    for name in sorted(dotted):
        pkgutil.resolve_name(f"course.{name}")


def test_every_folder_of_the_course_has_a_row_on_the_page_for_maintainers():
    folders = [folder for folder in FOLDERS if (ROOT / "course" / folder).is_dir()]
    rows = re.findall(r"^\| \[(\w+)\]\(\.\./course/(\w+)/__init__\.py\)", INSIDE, re.MULTILINE)
    assert rows == [(folder, folder) for folder in folders]


def test_the_manual_for_instructors_lists_every_format_of_an_export():
    _, _, section = INSTRUCTORS.partition("\n## Export\n")
    first_cells = re.findall(r"^\| (`.+?) \|", section.partition("\n## ")[0], re.MULTILINE)
    listed = [name for cell in first_cells for name in CODE.findall(cell)]
    assert sorted(set(listed) - {"--format"}) == sorted(FORMATS)


def minutes_in(notebook):
    """How many minutes a chapter says that it takes."""
    first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]
    return int(re.search(r"about (\d+) minutes", " ".join("".join(first["source"]).split()))[1])


def test_the_readme_lists_every_chapter_with_the_minutes_that_it_takes_and_adds_them_up():
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    rows = re.findall(r"^\| \[(\d\d) .+?\]\(notebooks/(\S+)\) \| (\d+) \|", README, re.MULTILINE)
    expected = [(path.name[:2], path.name, str(minutes_in(path))) for path in notebooks]
    assert rows == expected
    minutes = sorted(int(number) for *_, number in rows)
    assert f"About {sum(minutes) / 60:.0f} hours" in README
    assert f"chapters of {minutes[0]} to {minutes[-1]} minutes" in README


def test_the_readme_has_the_two_commands_as_listings_of_their_own():
    listings = re.findall(r"(?ms)^```\w+\n(.*?)^```", README)
    assert "python -m pip install -e . && course lab\n" in listings
    first = README.index("python -m pip install torch torchvision --index-url https://download.pytorch.org/whl/cpu\n")
    assert first < README.index("python -m pip install -e . && course lab\n")
    assert 'python -m pip install -e ".[test]" && pytest\n' in listings


def test_the_readme_is_short_and_each_of_its_pictures_has_an_alternative_text():
    text = re.sub(r"<img[^>]*>", "", prose(README)).replace("|", " ")
    assert len(text.split()) < 1000
    pictures = re.findall(r"<img [^>]*>", README)
    assert pictures and all(re.search(r'alt="[^"]{30,}"', picture) for picture in pictures)


def test_the_workflow_of_the_site_installs_what_the_extra_docs_lists():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["docs"]
    workflow = (ROOT / ".github" / "workflows" / "docs.yml").read_text(encoding="utf-8")
    assert re.findall(r'"([\w-]+>=[\d.]+)"', workflow) == extra
