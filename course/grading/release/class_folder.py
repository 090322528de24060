"""`release_class`: a folder with what a class gets, notebooks and the library, and no answers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from course.authoring import drift, find_root
from course.errors import GradingError
from course.files import replacing_folder
from course.grading.release.class_copy import class_copy
from course.grading.release.leaks import leaks
from course.grading.release.manifest import NAME, is_release, make_parent, verify, write_manifest
from course.grading.release.wheel import build_wheel
from course.notebook import notebook_files

_README = """\
# Pretrained models, learned by doing

    python -m pip install {wheel}
    course lab

JupyterLab opens with your own copies of the notebooks, in the folder `my-notebooks`. Python 3.11 to 3.13; installing
takes a few minutes and about 6 GB, because of torch. Something doesn't work? `course doctor` looks at your machine and
names the command that fixes it.

In Colab: upload a notebook of `notebooks/` and the wheel, `{wheel}`,
and run the setup cell. None of these notebooks has been run, so you see no result before you predict it.

Predict, run, write, check: `check("02-freeze-backbone")` says what your function did, `hint("02-freeze-backbone")`
helps in steps, `progress()` shows what is open. None of this is graded, and nothing leaves your machine. When you are
done, hand in your notebook: the `.ipynb` file in `my-notebooks`, or the one that you download from Colab. Helper
functions, imports and extra cells of your own are fine; keep the first line of each exercise's cell,
`# exercise: ...`, by which it is found.

The capstone is handed in as the two files that its notebook writes, `capstone.safetensors` and `capstone.md`, and
`course check capstone.safetensors` reads them as the grader will. The pictures that it is graded on are not in here.

`MANIFEST.json` holds the sha256 of every file as it was released.
"""


@dataclass(frozen=True)
class Release:
    """What was written: the folder, and the files in it by their names below it."""

    folder: Path
    files: tuple[str, ...]


def release_class(out: str | Path, *, root: Path | None = None) -> Release:
    """Write what a class gets to a folder: notebooks without outputs, a wheel, a README, a manifest of hashes.

    Exercises of others are among them. The folder appears whole or not at all; an earlier release in it is replaced if
    nobody changed it. Raises GradingError where notebooks/ is not what solutions/ gives, where an answer or a hidden
    judge would be given away, and for a folder that holds anything else; CannotWrite where the disk is full, say.
    """
    root, out = find_root(root), Path(out).absolute()
    _refuse_stale(root)
    _refuse_occupied(out, root)
    make_parent(out)
    with replacing_folder(out) as unfinished, class_copy(root) as source:
        files = _fill(unfinished, source)
    return Release(out, files)


def _refuse_stale(root: Path) -> None:
    lines = drift(root)
    if lines:
        raise GradingError(f"notebooks/ is not what solutions/ gives: {lines[0]}; run course build, then release")


def _refuse_occupied(out: Path, root: Path) -> None:
    for name in ("course", "notebooks", "solutions", "tests"):
        if out.resolve().is_relative_to((root / name).resolve()):
            raise GradingError(f"{out} lies in {name}/ of the repository; release into a folder of its own")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir() or not is_release(out):
        raise GradingError(f"{out} holds something that no release wrote; name a folder that is empty or not there")
    if changed := verify(out):
        raise GradingError(f"in {out}, {changed[0]} since it was released; keep it elsewhere, or name another folder")


def _fill(folder: Path, root: Path) -> tuple[str, ...]:
    """Write a release into an empty folder and look for leaks in it; the names of its files."""
    (folder / "notebooks").mkdir()
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        bare = notebook_files.without_outputs(notebook_files.read(path))
        notebook_files.write(bare, folder / "notebooks" / path.name)
    # Beside the notebooks, where their setup cell looks for it. It holds the same notebooks, for `course lab`.
    wheel = build_wheel(root, folder / "notebooks")
    shutil.copyfile(root / "LICENSE", folder / "LICENSE")
    text = _README.format(wheel=wheel.relative_to(folder).as_posix())
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
    if found := leaks(folder, root):
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        raise GradingError(f"nothing was released: {found[0]}{more}; take it out of what a class gets")
    return (*write_manifest(folder), NAME)
