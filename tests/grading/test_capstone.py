"""Capstones are found, graded as data on hidden pictures and compared; a broken one costs its own points alone."""

import csv
import functools
import html
import io
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import load as parse_tensors
from safetensors.torch import save

from course.applications.predictor import Predictor, fresh_model
from course.capstone.handing_in import CARD, WEIGHTS, hand_in, read_hand_in, read_predictor
from course.capstone.model_card import ModelCard
from course.errors import CanaryFailed, GradingError
from course.grading.capstone import damage, scoring
from course.grading.capstone.pictures import read_set
from course.grading.capstone.rules import DAMAGED, DRAWN, EXERCISE, NOTEBOOK, POINTS
from course.grading.capstone.work import OURS, Capstones
from course.grading.gradebook.book import Gradebook
from course.grading.grades import GRADED, MACHINERY, CapstoneSubmission, Grade, Submission
from course.grading.release.leaks import leaks
from course.grading.reports.status_texts import WRONG, standing_of
from course.grading.reports.write import write_reports
from course.grading.submissions.collect import collect
from course.grading.work import Settings
from course.models.backbones import image_transform
from course.models.heads import find_head
from course.zoo.safetensors_header import read_header
from tests.capstone.test_handing_in import BAD_FILES, FULL, changed, good
from tests.conftest import ROOT

COLOURS = ("blue", "green", "red")
SCRIPT = "<script>alert(document.cookie)</script><img src=x onerror=alert(1)>"
FULL_MARKS = sum(POINTS.values())


def coloured(label, rng, size=40):
    """A picture in which the colour of its class prevails."""
    values = [rng.randint(0, 90), rng.randint(0, 90), rng.randint(0, 90)]
    values[{"red": 0, "green": 1, "blue": 2}[label]] = rng.randint(170, 255)
    return Image.new("RGB", (size + rng.randint(0, 20), size), tuple(values))


def put_pictures(folder, *, styles=("",), count=6):
    rng = random.Random(0)
    for style in styles:
        for label in COLOURS:
            place = folder / style / label
            place.mkdir(parents=True)
            for number in range(count):
                coloured(label, rng).save(place / f"{style}{number}.png")
    return folder


@functools.cache
def colour_weights():
    """A random backbone with a head that tells the colours apart: their mean features."""
    torch.manual_seed(0)
    model = fresh_model("mobilenet_v3_large", 3)
    transform, rng, captured = image_transform(model, size=32), random.Random(1), []
    hook = find_head(model).module.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))
    with torch.inference_mode():
        for label in COLOURS:
            model(torch.stack([transform(coloured(label, rng)) for _ in range(8)]))
    hook.remove()
    means = torch.stack([features.mean(0) for features in captured])
    weight = (means - means.mean(0)) / means.std()
    head = find_head(model).module
    head.load_state_dict({"weight": weight, "bias": -(weight * (means + means.mean(0)) / 2).sum(1)})
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def colour_predictor(classes=COLOURS):
    model = fresh_model("mobilenet_v3_large", 3)
    model.load_state_dict(colour_weights())
    return Predictor(model, classes, image_transform(model, size=32))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return put_pictures(tmp_path_factory.mktemp("hidden") / "colours", styles=("flat", "round"))


@pytest.fixture(scope="module")
def colours(pictures):
    return read_set(pictures)


@pytest.fixture(scope="module")
def right(tmp_path_factory) -> bytes:
    """The bytes of a capstone that knows the colours."""
    folder = tmp_path_factory.mktemp("right")
    hand_in(colour_predictor(), folder, FULL)
    return (folder / WEIGHTS).read_bytes()


CARD_TEXT = FULL.markdown("Model card", {}).encode()


def graded(content, sets=(), card=CARD_TEXT, problem="") -> Grade:
    return scoring.grade_capstone("s", "j", sets, content, card, problem)


def again(content) -> bytes:
    """The same weights in another file."""
    return save(parse_tensors(content), metadata={**read_header(io.BytesIO(content), "x").metadata, "by": "a friend"})


def earned(grade) -> dict[str, bool]:
    return {outcome.name: outcome.passed for outcome in grade.outcomes}


# What is drawn.


def test_what_is_drawn_is_balanced_and_the_same_in_every_gradebook(pictures, colours, tmp_path):
    sets = [Capstones(Settings(secret=secret), [pictures]) for secret in ("one", "another")]
    assert sets[0].sets == sets[1].sets and sets[0].sets[0] == colours and sets[0].judges == sets[1].judges
    copy = shutil.copytree(pictures, tmp_path / "elsewhere" / pictures.name)
    assert read_set(copy).digest == colours.digest
    Image.new("RGB", (40, 40), "white").save(copy / "flat" / "red" / "flat0.png")
    assert read_set(copy).digest != colours.digest
    assert Capstones(Settings(secret="one"), [copy]).judges != sets[0].judges
    assert colours.classes == COLOURS and len(colours.pictures) == 36 and len(colours.spoiled) == 36
    assert set(Counter((one.label, one.style) for one in colours.pictures).values()) == {6}


def test_the_emoji_are_drawn_in_two_styles_that_no_release_has_and_no_thing_twice():
    drawn = read_set(OURS, name="emoji")
    assert len(drawn.pictures) == DRAWN and len(drawn.spoiled) == DAMAGED and len(drawn.classes) == 10
    assert set(Counter(one.label for one in drawn.pictures).values()) == {16}
    styles = Counter(one.style for one in drawn.pictures)
    assert set(styles) == {"openmoji", "flat"} and min(styles.values()) >= 0.45 * DRAWN
    from course.data.emoji import CLASSES, read_asset

    assert set(drawn.classes) == set(CLASSES)
    with zipfile.ZipFile(OURS / "pictures.zip") as archive:
        hidden = {archive.read(name) for name in archive.namelist()}
    assert not hidden & set(read_asset()[1].values())


def test_a_folder_without_styles_and_files_that_are_no_pictures(tmp_path):
    plain = read_set(put_pictures(tmp_path / "plain"))
    assert {one.style for one in plain.pictures} == {""} and plain.name == "plain"
    (tmp_path / "plain" / "red" / "notes.txt").write_text("not a picture")
    assert len(read_set(tmp_path / "plain").pictures) == 18
    (tmp_path / "plain" / "red" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(GradingError, match=r"the hidden picture .*red.0\.png: it is not a picture"):
        read_set(tmp_path / "plain")
    (tmp_path / "empty" / "red").mkdir(parents=True)
    with pytest.raises(GradingError, match="one folder a class"):
        read_set(tmp_path / "empty")
    (tmp_path / "empty" / "pictures.zip").write_bytes(b"PK no")
    with pytest.raises(GradingError, match="cannot be read"):
        read_set(tmp_path / "empty")


@pytest.mark.parametrize("kind", [damage._noise, damage._blur, damage._fade, damage._coarse, damage._compress])
def test_every_damage_changes_a_picture_and_keeps_its_size(kind):
    picture = Image.radial_gradient("L").convert("RGB").resize((60, 40))
    spoiled = kind(picture, random.Random(3))
    assert (spoiled.size, spoiled.mode) == (picture.size, "RGB") and spoiled.tobytes() != picture.tobytes()
    assert kind(picture, random.Random(3)).tobytes() == spoiled.tobytes()
    assert kind(Image.new("RGB", (1, 1)), random.Random(3)).size == (1, 1)


# One hand-in.


def test_a_right_capstone_has_full_marks_and_says_how_accurate_it_is(right, colours):
    grade = graded(right, [colours])
    assert (grade.status, grade.score, grade.points) == (GRADED, FULL_MARKS, FULL_MARKS), grade.outcomes
    measures = dict(grade.measures)
    assert measures["set"] == "colours" and measures["right"] > 30 and measures["shown"] == 36
    assert measures["low"] < measures["right"] / 36 <= measures["high"]
    assert any(note.startswith("accuracy on hidden pictures: ") for note in grade.notes)
    assert grade.isolation == "data" and grade.source.startswith("# Model card")


def test_a_capstone_that_guesses_has_only_what_needs_no_accuracy(colours):
    grade = graded(changed(classes='["blue", "green", "red"]'), [colours])
    assert grade.status == GRADED and earned(grade)["loads"] and earned(grade)["card"]
    assert grade.score == POINTS["loads"] + POINTS["card"]


def test_classes_in_another_order_and_more_of_them_are_matched_by_name(colours, tmp_path):
    state = colour_weights()
    model = fresh_model("mobilenet_v3_large", 4)
    order = [2, 0, 1]  # red, blue, green
    head = {name: state[f"classifier.3.{name}"][order] for name in ("weight", "bias")}
    padded = {
        "weight": torch.cat([head["weight"], torch.zeros(1, 1280)]),
        "bias": torch.cat([head["bias"], torch.tensor([-1e9])]),
    }
    model.load_state_dict({**state, **{f"classifier.3.{name}": tensor for name, tensor in padded.items()}})
    predictor = Predictor(model, ("red", "blue", "green", "mauve"), image_transform(model, size=32))
    hand_in(predictor, tmp_path, FULL)
    assert graded((tmp_path / WEIGHTS).read_bytes(), [colours]).score == FULL_MARKS


def test_where_no_hidden_pictures_are_of_its_classes_there_is_no_score_and_the_reason(colours):
    grade = graded(good()[0], [colours])
    assert (grade.status, grade.score, grade.measures) == (MACHINERY, None, ())
    assert "no hidden pictures of its classes (ant, bee, wasp)" in grade.notes[0]
    assert "--capstone-pictures" in grade.notes[0] and earned(grade) == {"loads": True, "card": True}


def test_the_first_set_with_its_classes_counts(right, colours):
    ours = replace(colours, name="ours")
    assert dict(graded(right, [ours, colours]).measures)["set"] == "ours"


@pytest.mark.parametrize("content, words", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_does_not_load_earns_nothing_and_says_why(content, words, colours):
    grade = graded(content, [colours])
    assert grade.status == GRADED and grade.score == 0 and grade.points == FULL_MARKS
    assert standing_of(grade) == WRONG and list(earned(grade)) == list(POINTS)
    assert grade.outcomes[0].because.startswith(WEIGHTS) and "so nothing is earned" in grade.notes[0]


def test_the_learner_is_told_the_same_words_before_and_after_handing_in(tmp_path):
    (tmp_path / WEIGHTS).write_bytes(changed(lambda state: {**state, "back.door": torch.zeros(1)}))
    try:
        read_hand_in(tmp_path)
    except Exception as error:
        assert graded((tmp_path / WEIGHTS).read_bytes()).outcomes[0].because == str(error)


@pytest.mark.parametrize(
    "card, words", [(None, "no model card came"), (b"\xff", "write a sentence"), (b"x" * 70_000, "64 KiB")]
)
def test_a_card_that_is_missing_or_says_nothing_costs_its_points_alone(right, colours, card, words):
    grade = graded(right, [colours], card)
    assert grade.score == FULL_MARKS - POINTS["card"] and words in grade.outcomes[1].because


def test_weights_are_recognised_in_a_file_with_other_metadata_in_another_order(right):
    header, tensors = read_header(io.BytesIO(right), "x"), parse_tensors(right)
    name = next(iter(tensors))
    other = save({**tensors, name: tensors[name] + 1}, metadata=header.metadata)
    first, same, different = (scoring.weights_digest(read_predictor(one, "it")) for one in (right, again(right), other))
    assert again(right) != right and first == same != different


def test_answers_that_are_no_numbers_are_wrong(colours):
    predictor = colour_predictor()
    assert sum(scoring.score_of(predictor, colours).clean) > 30
    predictor.model.register_forward_hook(lambda module, inputs, answers: answers * float("nan"))
    assert scoring.score_of(predictor, colours).clean == (False,) * 36


def test_weights_so_small_that_a_processor_slows_down_take_no_longer(colours, right):
    tiny = {name: torch.full_like(t, 1e-41) if t.is_floating_point() else t for name, t in parse_tensors(right).items()}
    times = []
    for content in (right, save(tiny, metadata=read_header(io.BytesIO(right), "x").metadata)):
        started = time.process_time()
        assert graded(content, [colours]).status == GRADED
        times.append(time.process_time() - started)
    assert times[1] < 4 * times[0] + 2
    assert float(torch.tensor(1e-41) * 1.0) != 0  # the setting is taken back


# The course's own pictures, and the probe that a capstone has to reach.


@pytest.fixture(scope="module")
def emoji():
    return read_set(OURS, name="emoji")


def test_the_stored_probe_finds_what_it_should_and_is_itself_a_capstone_with_full_marks(emoji, tmp_path):
    probe = scoring._probe(emoji.baseline)
    hand_in(Predictor(probe.model, probe.classes, probe.preprocessing), tmp_path, FULL)
    started = time.process_time()
    grade = graded((tmp_path / WEIGHTS).read_bytes(), [emoji])
    assert time.process_time() - started < 60
    assert grade.score == FULL_MARKS, grade.outcomes
    assert 0.4 < dict(grade.measures)["right"] / DRAWN < 0.65


def test_a_machine_on_which_the_probe_does_not_find_it_grades_no_capstone(emoji):
    header = read_header(io.BytesIO(emoji.baseline), "x")
    head = {name: tensor.flip(0).contiguous() for name, tensor in parse_tensors(emoji.baseline).items()}
    few = replace(
        emoji, pictures=emoji.pictures[:20], spoiled=emoji.spoiled[:2], baseline=save(head, metadata=header.metadata)
    )
    with pytest.raises(CanaryFailed, match="no capstone is graded there"):
        scoring.baseline(few)


def test_an_instructors_own_baseline_is_a_hand_in(colours, right):
    weak = changed(classes='["blue", "green", "red"]')
    strong, poor = (scoring.baseline(replace(colours, baseline=content)) for content in (right, weak))
    assert sum(strong.clean) > sum(poor.clean)
    grade = graded(weak, [replace(colours, baseline=right)])
    failed = {one.name: one for one in grade.outcomes if not one.passed}
    assert list(failed) == ["guessing", "baseline", "style", "damaged"]
    assert "the baseline's 0.97" in failed["baseline"].expected and "the baseline alone on 2" in failed["baseline"].got


def scored(right, damaged, emoji):
    """A score with this many right pictures of the set, spread over its styles."""
    clean = tuple(number * 7 % len(emoji.pictures) < right for number in range(len(emoji.pictures)))
    styles = {
        style: tuple(ok for ok, picture in zip(clean, emoji.pictures, strict=True) if picture.style == style)
        for style in {picture.style for picture in emoji.pictures}
    }
    return scoring.Score(clean, styles, tuple(number < damaged for number in range(DAMAGED)))


def against(mine, baseline, emoji):
    return {one.name: one.passed for one in scoring._compared(mine, baseline, emoji)}


def test_a_hand_in_that_chance_alone_puts_behind_the_baseline_earns_the_same(emoji):
    baseline = scored(84, 33, emoji)
    everything = {"guessing": True, "baseline": True, "style": True, "damaged": True}
    for right, damaged in ((84, 33), (83, 32), (79, 30), (79, 28), (160, 80)):
        assert against(scored(right, damaged, emoji), baseline, emoji) == everything, (right, damaged)
    few = against(scored(60, 15, emoji), baseline, emoji)
    assert few == {"guessing": True, "baseline": False, "style": False, "damaged": False}


@pytest.mark.parametrize(
    "alone, missed, expected",
    [(0, 0, False), (9, 3, False), (0, 5, False), (0, 6, True), (12, 24, False), (12, 26, True), (40, 41, False)],
)
def test_who_is_clearly_behind_is_decided_by_an_exact_sign_test(alone, missed, expected):
    assert scoring.behind(alone, missed) is expected
    tail = sum(math.comb(alone + missed, k) for k in range(alone + 1)) / 2 ** (alone + missed)
    assert (alone < missed and 2 * tail < 0.05) is expected


def test_without_a_baseline_half_of_the_way_from_guessing_takes_its_place(emoji):
    nothing, all_of_it = (against(scored(*counts, emoji), None, emoji) for counts in ((16, 8), (160, 80)))
    assert not any(nothing.values()) and all(all_of_it.values())
    outcomes = scoring._compared(scored(80, 40, emoji), None, emoji)
    assert [(one.passed, "reaches 0.55" in one.expected) for one in outcomes][1:] == [(True, True)] * 3


# Whose capstone it is.


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def found(*sources):
    return [
        (one.learner, isinstance(one, CapstoneSubmission), os.path.basename(one.member or one.path),
         os.path.basename(one.card.member or one.card.path) if getattr(one, "card", None) else None)
        for one in collect(sources, tell=lambda line: None)
    ]  # fmt: skip


def test_capstones_are_found_beside_notebooks_and_without(tmp_path):
    put(tmp_path / "class", {
        "ada/capstone.safetensors": b"1", "ada/capstone.md": b"2", "ada/02.ipynb": b"{}", "ada/other.safetensors": b"",
        "ben/work/capstone.safetensors": b"1", "ben/README.md": b"", "ben/capstone.md": b"",
        "cem/my_best.safetensors": b"1", "cem/my_best.md": b"2",
        "dan/capstone.pt": b"1", "dan/capstone.md": b"2",
    })  # fmt: skip
    assert found(tmp_path / "class") == [
        ("ada", False, "02.ipynb", None),
        ("ada", True, "capstone.safetensors", "capstone.md"),
        ("ben", True, "capstone.safetensors", "capstone.md"),
        ("cem", True, "my_best.safetensors", "my_best.md"),
        ("dan", False, "capstone.md", None),
    ]
    (dan,) = [one for one in collect([tmp_path / "class"]) if one.learner == "dan"]
    assert "no notebook came, only capstone.md, capstone.pt" in dan.problem and "capstone.safetensors" in dan.problem


def test_capstones_of_canvas_moodle_and_plain_names(tmp_path):
    files = {
        "canvas.zip": {"doejane_123_777_capstone.safetensors": "doejane_123", "doejane_123_778_capstone.md": None},
        "moodle.zip": {"Jane Doe_55_assignsubmission_file/capstone.safetensors": "Jane Doe_55",
                       "Jane Doe_55_assignsubmission_file/capstone.md": None},
        "flat.zip": {"jdoe_capstone.safetensors": "jdoe", "jdoe_capstone.md": None,
                     "bob_capstone (1).safetensors": "bob", "bob_capstone.md": None},
    }  # fmt: skip
    for name, members in files.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, b"1")
        learners = sorted(label for label in members.values() if label)
        seen = found(tmp_path / name)
        assert [(learner, is_capstone) for learner, is_capstone, *_ in seen] == [(label, True) for label in learners]
        assert all(card and card.endswith("capstone.md") for *_, card in seen), seen


def test_one_learners_zip_or_folder_can_be_named_itself(tmp_path):
    put(tmp_path / "ada", {"capstone.safetensors": b"1", "capstone.md": b"2"})
    assert found(tmp_path / "ada") == [("ada", True, "capstone.safetensors", "capstone.md")]
    for name in ("ada", "ben"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("capstone.safetensors", name)
            archive.writestr("capstone.md", "2")
    assert [(one[0], one[3]) for one in found(tmp_path / "*.zip")] == [("ada", "capstone.md"), ("ben", "capstone.md")]


def test_links_huge_files_and_too_many_are_a_problem_that_says_so(tmp_path):
    put(tmp_path / "class", {"ada/capstone.md": b"", **{f"bob/capstone{i}.safetensors": b"" for i in range(30)}})
    (tmp_path / "class/ada/capstone.safetensors").symlink_to("/etc/passwd")
    (tmp_path / "class/cem").mkdir()
    with (tmp_path / "class/cem/capstone.safetensors").open("wb") as file:
        file.truncate(10 * 2**30)
    problems = {one.learner: one.problem for one in collect([tmp_path / "class"])}
    assert "is a link" in problems["ada"] and "30 weight files came" in problems["bob"]
    assert "10240 MiB" in problems["cem"] and "no architecture of the capstone" in problems["cem"]


# From a class to its reports, as it is typed.


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory, right):
    """A class: two that are right, one that guesses, and one of each way to be broken."""
    folder = tmp_path_factory.mktemp("class") / "class"
    guess = changed(classes='["blue", "green", "red"]')
    script = ModelCard(SCRIPT + FULL.purpose, FULL.data, FULL.results, FULL.limits, FULL.licences)
    put(folder, {
        "ada/capstone.safetensors": right, "ada/capstone.md": script.markdown(SCRIPT, {}).encode(),
        "ben/capstone.safetensors": again(right), "ben/capstone.md": CARD_TEXT,
        "cem/capstone.safetensors": guess,
        "dan/capstone.safetensors": BAD_FILES["10 GB header"][0], "dan/capstone.md": CARD_TEXT,
        "eva/capstone.safetensors": BAD_FILES["pickle"][0], "eva/capstone.md": CARD_TEXT,
        "fay/capstone.safetensors": good()[0], "fay/capstone.md": CARD_TEXT,
    })  # fmt: skip
    (folder / "gil").mkdir()
    with (folder / "gil" / WEIGHTS).open("wb") as file:
        file.truncate(10 * 2**30)
    return folder


def command(*arguments):
    return [sys.executable, "-m", "course", *map(str, arguments)]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def called(*arguments, expected=0):
    done = subprocess.run(command(*arguments), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == expected, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def reported(handed_in, pictures):
    """What `course grade` said and wrote, after a run that was killed once the first grade was there."""
    out = handed_in.parent / "out"
    arguments = ("grade", handed_in, "--out", out, "--jobs", 1, "--capstone-pictures", pictures)
    running = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    before = []
    while running.poll() is None and not before:
        time.sleep(0.1)
        if (out / "gradebook.sqlite").exists():
            with Gradebook.open(out / "gradebook.sqlite") as book:
                before = [grade for grade in book.grades() if grade.score is not None]
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with Gradebook.open(out / "gradebook.sqlite") as book:
        before = {(grade.submission, grade.graded_at) for grade in book.grades() if grade.score is not None}
    return out, before, called(*arguments, expected=1)


def test_killed_and_run_again_everybody_is_graded_and_nobody_twice(reported):
    out, before, said = reported
    with Gradebook.open(out / "gradebook.sqlite") as book:
        grades = [grade for grade in book.grades() if grade.score is not None]
        after = {(grade.submission, grade.graded_at) for grade in grades}
        scores = {one.learner: one.score for one in book.standings() if one.notebook == NOTEBOOK}
    assert before and before <= after and len(grades) == len({grade.submission for grade in grades}) == 6
    assert f"{len(before)} graded before" in said
    assert scores == {"ada": 20, "ben": 20, "cem": 4, "dan": 0, "eva": 0, "fay": None, "gil": 0}
    assert "no hidden pictures of its classes (ant, bee, wasp)" in said


def test_run_again_nothing_is_graded_but_what_has_no_score(reported, handed_in, pictures):
    said = called("grade", handed_in, "--out", reported[0], "--jobs", 1, "--capstone-pictures", pictures, expected=1)
    assert "6 graded before" in said and "1 machinery failure" in said


def test_the_instructors_page_has_a_leaderboard_with_ties_and_nobodys_name_on_a_learners_page(reported):
    out, _, _ = reported
    page = (out / "index.html").read_text()
    board = page[page.index('id="leaderboard"') : page.index('id="similar"')]
    assert [name for name in ("ada", "ben", "cem", "fay") if f">{name}<" in board] == ["ada", "ben", "cem"]
    assert board.index(">ada<") < board.index(">cem<") and board.count("tied") == 3  # twice in the table
    assert "mobilenet_v3_large" in board and '<a href="#leaderboard">' in page
    assert "same weights as" in board
    for learner in ("ada", "cem"):
        own = (out / "learners" / f"{learner}.html").read_text()
        assert "accuracy on hidden pictures" in own and "ben" not in own and "Capstone" in own
        assert "Nothing of it was run" in own and "draws its own inputs" not in own


def test_a_script_in_a_card_is_never_live_in_a_report(reported):
    out, _, _ = reported
    pages = [path.read_text() for path in out.rglob("*.html")]
    assert not any("<script>alert" in page or "<img src=x" in page for page in pages)
    own = (out / "instructor" / "ada.html").read_text()
    assert html.escape("<script>alert(document.cookie)</script>") in own and "The model card" in own
    assert "<script>" not in own


def test_every_broken_hand_in_says_why_on_its_learners_page(reported):
    out, _, _ = reported
    words = {
        "dan": "claims a header of 10,000,000,000",
        "eva": "is a pickle",
        "gil": "no architecture of the capstone takes as much",
        "cem": "no model card came with the weights",
        "fay": "there are no hidden pictures of its classes",
    }
    for learner, text in words.items():
        page = html.unescape((out / "learners" / f"{learner}.html").read_text())
        assert text in page and "Your code" not in page, learner
        assert ("0 of 20 points" in page and "Not solved yet" in page) == (learner in ("dan", "eva", "gil")), learner


def test_the_commonest_mistakes_say_why_weights_do_not_load(reported):
    page = html.unescape((reported[0] / "index.html").read_text())
    mistakes = page[page.index('id="mistakes"') : page.index('id="leaderboard"')]
    assert "is a pickle" in mistakes and "claims a header of" in mistakes and "takes as much" in mistakes
    assert "do not load" not in mistakes and "The code stopped" not in mistakes


def test_capstones_are_exported_as_an_exercise(reported):
    out, _, _ = reported
    called("export", out / "grades.csv", "--format", "csv", "--out", out, "--notebook", NOTEBOOK)
    with (out / "grades.csv").open(newline="") as file:
        rows = {row["learner"]: row for row in csv.DictReader(file)}
    assert rows["ada"]["score"] == "20" and rows["fay"]["score"] == "" and rows["gil"]["score"] == "0"
    assert {row["exercise"] for row in rows.values()} == {EXERCISE}


def test_a_folder_that_holds_no_hidden_pictures_is_refused(handed_in, tmp_path):
    arguments = ("grade", handed_in, "--out", tmp_path / "out", "--jobs", 1, "--capstone-pictures")
    assert "is not a folder" in called(*arguments, tmp_path / "nowhere", expected=2)
    (tmp_path / "empty").mkdir()
    assert "one folder a class" in called(*arguments, tmp_path / "empty", expected=2)


def test_course_check_reads_a_capstone_as_the_grader_does(handed_in):
    said = called("check", handed_in / "ben" / WEIGHTS)
    assert f"{WEIGHTS}: mobilenet_v3_large, 3 classes" in said and f"{CARD}: complete" in said
    assert called("check", handed_in / "ben") == called("check", handed_in / "ben" / CARD) == said
    assert "there is no model card" in called("check", handed_in / "cem" / WEIGHTS, expected=1)
    assert "is a pickle" in called("check", handed_in / "eva" / WEIGHTS, expected=2)


# Ranks, and what a class gets.


def test_ranks_count_only_those_whose_whole_interval_is_higher(tmp_path):
    with Gradebook.open(tmp_path / "gradebook.sqlite") as book:
        for learner, right_ones in {"ada": 150, "ben": 146, "cem": 80, "dan": 20}.items():
            low, high = scoring.interval(right_ones, 160)
            measures = {
                "set": "emoji",
                "model": "resnet18",
                "right": right_ones,
                "shown": 160,
                "low": low,
                "high": high,
            }
            measures |= {"worst style": "flat", "in it": 0.5, "damaged": 0.4}
            measures |= {"weights": "w" if learner in ("ben", "dan") else learner}
            about = {"submission": learner, "exercise": EXERCISE, "judges": "j", "seed": "s"}
            book.add_submission(Submission(learner, tmp_path), learner, notebook=NOTEBOOK, exercises=[EXERCISE])
            book.add_grade(Grade(**about, status=GRADED, score=1.0, points=2.0, measures=tuple(measures.items())))
        from course.grading.reports.classroom import read
        from course.grading.reports.leaderboard import leaderboards

        places = leaderboards(read(book, "last").learners)["emoji"]
        assert [(one.learner.name, one.rank, one.tied) for one in places] == [
            ("ada", 1, True), ("ben", 1, True), ("cem", 3, False), ("dan", 4, False),
        ]  # fmt: skip
        assert [tuple(who.name for who in one.same) for one in places] == [(), ("dan",), (), ("ben",)]
        page = write_reports(book, tmp_path / "out").read_text()
        assert page.count("same weights as") == 2


def test_a_release_with_a_hidden_picture_in_it_is_a_leak(tmp_path):
    with zipfile.ZipFile(OURS / "pictures.zip") as archive:
        (tmp_path / "innocent.png").write_bytes(archive.read(archive.namelist()[0]))
    (tmp_path / "other.png").write_bytes(io.BytesIO(b"another").read())
    assert leaks(tmp_path, ROOT) == ["innocent.png is a hidden picture of the capstone"]
