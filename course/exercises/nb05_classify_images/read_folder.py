"""A folder with one folder per class: every complete picture with its label, and every other file by name."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from course.judging import Exercise, Unusable, expect, need

exercise = Exercise(
    "05-read-folder",
    answer="folder_dataset",
    call="folder_dataset(path)",
    title="Read a folder without losing a file silently",
    withholds=("course.data.pictures.PictureFolder",),
    hints=(
        "You need three lists: the sorted names of the folders in `path`, the samples, and the files you had to skip.",
        "A label is the folder's index in the sorted names: `for label, name in enumerate(classes)`. Try every file in "
        "the folder, whatever its extension.",
        "`Image.open(file)` reads only the header, which a photo that was cut off still has. `.load()` decodes the "
        "pixels: try that, and on OSError put the file into `skipped`.",
    ),
    idea="classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir()); for each class's files, try "
    "Image.open(file).load(): samples.append((file, label)), except OSError: skipped.append(file).",
)

PICTURES = ("png", "jpg", "JPG", "webp")  # kinds of whole pictures; "cut" and "words" are none


@exercise.case
def mixed_folder(rng: torch.Generator) -> dict[str, Any]:
    return folder_case(rng, classes=5)


def folder_case(rng: torch.Generator, *, classes: int) -> dict[str, Any]:
    """Files to write, in an order that is not the alphabet's. Every whole picture has a colour of its own."""
    names = drawn_names(rng, classes)
    kinds = [[PICTURES[(i + j) % len(PICTURES)] for i in range(3)] for j, _ in enumerate(names)]
    for i, kind in enumerate(("cut", "words", "cut", "words")):
        kinds[i % classes].append(kind)
    files = []
    for name, inside in zip(names, kinds, strict=True):
        for kind, stem in zip(inside, drawn_names(rng, len(inside)), strict=True):
            colour = torch.randint(30, 226, (3,), generator=rng)
            ending = {"cut": "jpg", "words": "jpg"}.get(kind, kind)
            files.append({"folder": name, "name": f"{stem}.{ending}", "kind": kind, "colour": colour})
    order = torch.randperm(len(files), generator=rng).tolist()
    return {"files": [files[i] for i in order], "beside": f"{drawn_names(rng, 1)[0]}.txt"}


def drawn_names(rng: torch.Generator, count: int) -> list[str]:
    """That many names of six letters, no two of them with the same first letter, not in order."""
    while True:
        letters = torch.randint(26, (count, 6), generator=rng)
        letters[:, 0] = torch.randperm(26, generator=rng)[:count]
        names = ["".join(chr(97 + int(letter)) for letter in row) for row in letters]
        if count == 1 or names != sorted(names):
            return names


@exercise.probe
def probe_folder_dataset(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "pictures"
        for file in case["files"]:
            _write(root / file["folder"] / file["name"], file["kind"], file["colour"])
        (root / case["beside"]).write_text("taken in spring")
        returned = need(answer(root), (tuple, list), "three lists: `return classes, samples, skipped`")
        if len(returned) != 3:
            raise Unusable(f"your answer returned {len(returned)} values; return classes, samples, skipped")
        classes, samples, skipped = ([*part] if part is not None else [] for part in returned)
        if not all(isinstance(sample, (tuple, list)) and len(sample) == 2 for sample in samples):
            raise Unusable("a sample is a pair (path, label)")
        skipped = [item[0] if isinstance(item, tuple) else item for item in skipped]
        return {
            "classes": [str(name) for name in classes],
            "names": [_name(path, root) for path, _ in samples],
            "labels": torch.tensor([int(label) for _, label in samples], dtype=torch.int64),
            "colours": torch.stack([_colour(path) for path, _ in samples]) if samples else torch.zeros(0, 3),
            "skipped": [_name(path, root) for path in skipped],
        }


def _write(path: Path, kind: str, colour: torch.Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "words":
        path.write_text("a note, and not a picture")
        return
    grain = np.random.default_rng(0).integers(-25, 26, (64, 64, 1))  # a plain colour would be little but a header
    picture = Image.fromarray((colour.numpy() + grain).astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, {"png": "PNG", "webp": "WEBP"}.get(kind, "JPEG"))
    content = buffer.getvalue()
    path.write_bytes(content[: len(content) * 2 // 3] if kind == "cut" else content)


def _name(path: Any, root: Path) -> str:
    whole = Path(root, str(path)).resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(path)


def _colour(path: Any) -> torch.Tensor:
    """(3,): the mean colour of the picture in a file, NaN if there is none."""
    try:
        with Image.open(path) as picture:
            return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float64).mean((0, 1))).float()
    except (OSError, TypeError, ValueError, AttributeError):
        return torch.full((3,), float("nan"))


@exercise.judge(mixed_folder, points=2)
def classes_are_the_sorted_folder_names(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The classes are the folders' names in alphabetical order, and a label is an index into them."""
    expected = sorted({file["folder"] for file in case["files"]})
    got = result["classes"]
    because = "which class is number 0 must not depend on the order in which a disk lists its folders: sort the names"
    if sorted(got) != expected:
        because = "the classes are the names of the folders, not their paths, each once"
    if case["beside"] in got:
        because = "a file beside the class folders is not a class: take folders alone, `is_dir()`"
    expect(got == expected, tried="the classes of a folder", got=got, expected=expected, because=because)
    judge_labels(case, result)


def judge_labels(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless what was returned are pictures of the folder, each with the number of its class."""
    judge_pictures(case, result)
    classes = sorted({file["folder"] for file in case["files"]})
    folders = {_key(file): file["folder"] for file in case["files"] if file["kind"] in PICTURES}
    for name, label in zip(result["names"], result["labels"].tolist(), strict=True):
        if name in folders:
            expect(
                label == classes.index(folders[name]),
                tried=f"the label of {name}, with the classes {classes}",
                got=label,
                expected=classes.index(folders[name]),
                because="a label is the index of the picture's folder in the sorted classes",
            )


def judge_pictures(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless pictures of the folder were returned, whatever their labels."""
    whole = {_key(file): file for file in case["files"] if file["kind"] in PICTURES}
    found = [i for i, name in enumerate(result["names"]) if name in whole]
    expect(
        found,
        tried="looking for the folder's pictures in the samples",
        got=result["names"][:3],
        expected=f"paths such as {next(iter(whole))}",
        because="no picture was found: go into each class's folder",
    )
    for i in found:
        file = whole[result["names"][i]]
        expect(
            bool((result["colours"][i] - file["colour"]).abs().max() < 8),
            tried=f"the mean colour of {result['names'][i]}",
            got=result["colours"][i],
            expected=file["colour"].float(),
            because="this is not the picture that was in the folder",
        )


def _key(file: dict[str, Any]) -> str:
    return f"{file['folder']}/{file['name']}"


@exercise.judge(mixed_folder, points=1)
def every_whole_picture_is_a_sample(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every complete picture of every class is a sample, once, whatever its extension."""
    whole = sorted(_key(file) for file in case["files"] if file["kind"] in PICTURES)
    missing = [name for name in whole if name not in result["names"]]
    endings = sorted({name.rpartition(".")[2] for name in missing})
    there = {name.rpartition(".")[2] for name in result["names"]}
    because = "some pictures are missing from the samples: try every file of every class"
    if missing and not there & set(endings):
        because = (
            f"files that end in {' or '.join(endings)} are pictures too: what counts is whether a file can be decoded"
        )
    expect(
        not missing,
        tried=f"a folder of {len(whole)} whole pictures",
        got=f"{len(missing)} missing, {', '.join(missing[:2])} among them",
        expected="none missing",
        because=because,
    )
    repeats = len(result["names"]) - len(set(result["names"]))
    because = "each file is one sample; a picture that counts twice weighs twice"
    expect(repeats == 0, tried="counting the samples", got=f"{repeats} twice", expected="each once", because=because)
    judge_pictures(case, result)


@exercise.judge(mixed_folder, points=2)
def what_is_no_picture_is_named(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Files that are truncated or not pictures at all are not samples; they are listed in `skipped`."""
    judge_skipped(case, result)


def judge_skipped(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless exactly the files that can't be decoded are skipped, by name. Labels are judged elsewhere."""
    bad = {_key(file): file["kind"] for file in case["files"] if file["kind"] not in PICTURES}
    kept = [name for name in result["names"] if name in bad]
    because = (
        "`Image.open` and `verify()` don't decode the pixels of a JPEG, so a photo that was cut off passes; `.load()` "
        "decodes them all"
    )
    if any(bad[name] == "words" for name in kept):
        because = "a file named .jpg need not be a picture: open each file before you keep it"
    expect(
        not kept,
        tried=f"a folder with {len(bad)} files that are cut off or no picture",
        got=f"{len(kept)} of them among the samples, {', '.join(kept[:2])}",
        expected="none of them",
        because=because,
    )
    listed = sorted(name for name in result["skipped"] if "/" in name)  # the file beside the folders may be named too
    because = (
        "these files were dropped silently, so nobody would notice that pictures are missing: list them in `skipped`"
    )
    if listed and not set(listed) <= set(bad):
        because = "whole pictures were skipped"
    elif len(set(listed)) < len(listed):
        because = "a file was listed more than once"
    elif {name.rpartition("/")[2] for name in bad} <= set(result["skipped"]):
        because = "these are names without their folders: list the path of each file, as it is in the samples"
    expect(
        listed == sorted(bad),
        tried="what was skipped",
        got=listed,
        expected=sorted(bad),
        because=because,
    )
    judge_pictures(case, result)
