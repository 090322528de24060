"""`--exercises FOLDER`, which several commands take, and the author's commands `new-exercise` and `try-exercise`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course.errors import UnknownName
from course.legible import legible, one_line


def _use(folders: list[Path] | None) -> list[Path] | None:
    if folders:
        from course.judging.exercise_folders import use_exercises

        use_exercises(folders)
    return folders


Exercises = Annotated[
    list[Path] | None,
    typer.Option(
        "--exercises",
        metavar="FOLDER",
        callback=_use,
        is_eager=True,
        help="A folder with exercises of your own, or with class.toml; may be given several times.",
    ),
]


def new_exercise(
    id: Annotated[str, typer.Argument(help="NN-verb-phrase: the chapter's number, then what the learner does.")],
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FOLDER", help="Your own folder; by default the repository.")
    ] = None,
) -> None:
    """For authors: write a small exercise that works, to be changed into yours."""
    from course.authoring.new_exercise import new_exercise as write

    written = write(id, into=into)
    print("\n".join(f"wrote {path}" for path in written))
    option = f" --exercises {into}" if into else ""
    print(f"now change it part by part, and try it: course try-exercise {id}{option}")
    if not into:
        print(f"then move its cells to where they belong in {written[-1].name}, and run: course build {id[:2]}")


def try_exercise(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="By default, all in --exercises.")] = None,
    exercises: Exercises = None,
) -> None:
    """For authors: try the answers that come with an exercise. Right ones must get full marks, wrong ones must not.

    Exit code 1: an answer was judged otherwise.
    """
    from course.authoring.building import find_root
    from course.authoring.trying import try_exercise as tries
    from course.judging.exercise import exercises_of, find_exercise
    from course.judging.exercise_folders import OWN, packages_in

    folders = [folder.resolve() for folder in exercises or []]
    numbers = sorted({package.name[2:4] for folder in folders for package in packages_in(folder)})
    chosen = [find_exercise(id) for id in ids or ()]
    chosen = chosen or [one for number in numbers for one in exercises_of(number) if one.folder != OWN]
    if not chosen:
        raise UnknownName("name an exercise, 02-freeze-backbone say, or pass --exercises FOLDER")
    failed = False
    for exercise in chosen:
        root = find_root() if exercise.folder == OWN else exercise.folder
        wrong = root / "tests" / "wrong" if exercise.folder == OWN else root / "wrong"
        print(f"{exercise.id}: {one_line(exercise.title)}")
        for tried in tries(exercise, root / "solutions", wrong):
            kind = "right" if tried.is_right else "wrong"
            score = f"{tried.result.score} of {tried.result.points}"
            print(f"  {'✗' if tried.problem else '✓'} {kind}  {tried.answer}: {score}")
            if tried.problem:
                failed = True
                print(legible(tried.problem))
    raise typer.Exit(int(failed))
