"""One hand-in: does it load, how often is it right on hidden pictures, what does its card say."""

from __future__ import annotations

import hashlib
import io
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import torch
from PIL import Image
from safetensors.torch import load as parse_tensors

from course.capstone import CARD, WEIGHTS, hand_in_metadata, read_card_file, read_predictor
from course.errors import CanaryFailed, CourseError
from course.grading.capstone import EXERCISE, ISOLATION, POINTS
from course.grading.capstone.pictures import HiddenSet, Picture
from course.grading.records import GRADED, MACHINERY, Grade
from course.judging.results import Outcome
from course.judging.timelimit import time_limit
from course.models import find_head, load_backbone
from course.predictor import Predictor
from course.tensor_header import read_header

_HOW = "graded with the instructor's own, course grade --capstone-pictures FOLDER"
LIMIT_S = 300.0  # a hand-in takes seconds; only a machine that is very busy comes near
CLAIMS = {
    "loads": f"{WEIGHTS} holds the weights of an architecture from the list, and loads",
    "card": f"{CARD} is a complete model card",
    "guessing": "On hidden pictures it is better than guessing, by its 95 % interval",
    "baseline": "On hidden pictures it is right at least as often as the baseline, a frozen probe",
    "style": "In the hidden style that it knows least it is as good as the baseline in its own worst",
    "damaged": "On damaged hidden pictures it is right at least as often as the baseline",
}


@dataclass(frozen=True)
class Score:
    """How often a classifier was right: (right, shown) over all pictures, in each style, and on damaged ones."""

    clean: tuple[int, int]
    styles: dict[str, tuple[int, int]]
    damaged: tuple[int, int]

    @property
    def worst(self) -> tuple[str, tuple[int, int]]:
        """The style in which it was right least often."""
        return min(self.styles.items(), key=lambda style: (style[1][0] / style[1][1], style[0]))


def grade(
    submission: str, judges: str, sets: Sequence[HiddenSet], content: bytes, card: bytes | None, problem: str
) -> Grade:
    """The grade of one hand-in; of one whose classes no hidden pictures are of it has no score, only the reason.

    `problem` says why there is no content, where there is none. Raises CanaryFailed where the baseline of a set does
    not get what it should on this machine.
    """
    started = time.monotonic()
    torch.set_num_threads(1)
    with time_limit(LIMIT_S):
        outcomes, notes, measures = _judged(sets, content, card, problem)
    lacks = len(outcomes) < len(POINTS)
    return Grade(
        submission=submission,
        exercise=EXERCISE,
        judges=judges,
        seed="",
        status=MACHINERY if lacks else GRADED,
        score=None if lacks else float(sum(outcome.earned for outcome in outcomes)),
        points=float(sum(POINTS.values())),
        outcomes=outcomes,
        notes=notes,
        source=(card or b"").decode("utf-8", errors="replace")[:65_536],
        isolation=ISOLATION,
        seconds=time.monotonic() - started,
        machine=socket.gethostname(),
        graded_at=datetime.now(UTC),
        measures=measures,
    )


def _judged(
    sets: Sequence[HiddenSet], content: bytes, card: bytes | None, problem: str
) -> tuple[tuple[Outcome, ...], tuple[str, ...], tuple[tuple[str, str | float], ...]]:
    """(outcomes, notes, measures): all that a grade says."""
    about_card = _card(card)
    try:
        if problem:
            raise CourseError(problem)
        predictor = read_predictor(content, WEIGHTS)
    except CourseError as error:
        rest = [_outcome(name, False, because="the weights do not load") for name in list(POINTS)[2:]]
        return (_outcome("loads", False, because=str(error)), about_card, *rest), (), ()
    loads = _outcome("loads", True)
    hidden = next((one for one in sets if one.fits(predictor.classes)), None)
    if hidden is None:
        names = ", ".join(predictor.classes[:5])
        note = f"it loads, but there are no hidden pictures of its classes ({names}): {_HOW}"
        return (loads, about_card), (note,), ()
    score, least = score_of(predictor, hidden), baseline(hidden)
    weights = hashlib.sha256(content).hexdigest()
    measures = (("set", hidden.name), ("model", predictor.origin.name), ("weights", weights), *_measures(score))
    return (loads, about_card, *_compared(score, least, hidden)), tuple(_said(score)), measures


def _outcome(name: str, passed: bool, tried: str = "", got: str = "", expected: str = "", because: str = "") -> Outcome:
    return Outcome(name, CLAIMS[name], POINTS[name], passed, tried, got, expected, because)


def _card(content: bytes | None) -> Outcome:
    if content is None:
        return _outcome("card", False, because=f"no model card came with the weights; hand in {CARD} beside {WEIGHTS}")
    gaps = read_card_file(content)[1]
    return _outcome("card", not gaps, because="; ".join(gaps))


def _compared(score: Score, least: Score | None, hidden: HiddenSet) -> Iterator[Outcome]:
    counts = Counter(picture.label for picture in hidden.pictures)
    chance = max(counts.values()) / len(hidden.pictures)
    low, _ = interval(*score.clean)
    shown = f"{score.clean[1]} hidden pictures"
    yield _outcome("guessing", low > chance, shown, in_words(*score.clean), f"an interval above {chance:.2f}")
    style, in_it = score.worst
    wanted = _wanted(least, chance)
    for name, tried, mine in (
        ("baseline", shown, score.clean),
        ("style", f"the style {style or 'of all'}", in_it),
        ("damaged", f"{score.damaged[1]} damaged pictures", score.damaged),
    ):
        bar, who = wanted[name]
        yield _outcome(name, mine[0] / mine[1] >= bar, tried, in_words(*mine), f"at least {bar:.2f}, {who}")


def _wanted(least: Score | None, chance: float) -> dict[str, tuple[float, str]]:
    """The accuracy that earns points, and whose it is: a baseline's, or else a share of the way up from guessing."""
    if least:
        scores = {"baseline": least.clean, "style": least.worst[1], "damaged": least.damaged}
        return {name: (right / shown, "the baseline's") for name, (right, shown) in scores.items()}
    half = chance + (1 - chance) / 2, "half of the way from guessing, since these pictures have no baseline"
    quarter = chance + (1 - chance) / 4, "a quarter of the way from guessing, since these pictures have no baseline"
    return {"baseline": half, "style": quarter, "damaged": quarter}


def _measures(score: Score) -> Iterator[tuple[str, str | float]]:
    low, high = interval(*score.clean)
    yield from (("right", score.clean[0]), ("shown", score.clean[1]), ("low", low), ("high", high))
    yield from (("worst style", score.worst[0]), ("in it", score.worst[1][0] / score.worst[1][1]))
    yield "damaged", score.damaged[0] / score.damaged[1]


def _said(score: Score) -> Iterator[str]:
    """What a learner should know whatever the points: the figures with their intervals."""
    yield f"accuracy on hidden pictures: {in_words(*score.clean)}"
    if len(score.styles) > 1:
        styles = (f"{style} {right / shown:.2f}" for style, (right, shown) in sorted(score.styles.items()))
        yield f"in each style, none of which was handed out: {', '.join(styles)}"
    yield f"on damaged pictures: {in_words(*score.damaged)}"


def in_words(right: int, shown: int) -> str:
    """ "0.62 (0.54 to 0.69) of 160": the accuracy with its 95 % interval."""
    low, high = interval(right, shown)
    return f"{right / shown:.2f} ({low:.2f} to {high:.2f}) of {shown}"


def interval(right: int, shown: int) -> tuple[float, float]:
    """Wilson's interval for the accuracy, 95 %."""
    from scipy.stats import binomtest

    found = binomtest(int(right), int(shown)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def score_of(predictor: Predictor, hidden: HiddenSet) -> Score:
    """How often the classifier is right on a set's pictures. An answer that is no number is wrong."""
    right = _right(predictor, hidden.pictures)
    styles: dict[str, tuple[int, int]] = {}
    for picture, is_right in zip(hidden.pictures, right, strict=True):
        so_far = styles.get(picture.style, (0, 0))
        styles[picture.style] = so_far[0] + is_right, so_far[1] + 1
    spoiled = _right(predictor, hidden.spoiled)
    return Score((sum(right), len(right)), styles, (sum(spoiled), len(spoiled)))


def _right(predictor: Predictor, pictures: Sequence[Picture]) -> list[bool]:
    with _no_tiny_numbers():
        predicted = predictor.predict((Image.open(io.BytesIO(picture.content)) for picture in pictures), batch_size=16)
    usable = predicted.probabilities.isfinite().all(1).tolist()
    return [name == picture.label and ok for name, picture, ok in zip(predicted.names, pictures, usable, strict=True)]


@contextmanager
def _no_tiny_numbers() -> Iterator[None]:
    """Numbers too small for a float's full precision are zero: a processor takes a hundred times as long for them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@lru_cache(maxsize=8)
def _baseline(digest: str, hidden: HiddenSet) -> Score:
    header = read_header(io.BytesIO(hidden.baseline), "baseline.safetensors")
    if "accuracy" not in header.metadata:
        return score_of(read_predictor(hidden.baseline, "baseline.safetensors"), hidden)
    score = score_of(_probe(hidden.baseline), hidden)
    low, high = interval(*score.clean)
    stated = float(header.metadata["accuracy"])
    if not low - 0.05 <= stated <= high + 0.05:
        raise CanaryFailed(
            f"on {socket.gethostname()} the stored probe of {hidden.name} is right on {score.clean[0]} of "
            f"{score.clean[1]} hidden pictures, and should be on {stated:.0%}; no capstone is graded there: run "
            "`course doctor` on it, and mend what it finds"
        )
    return score


def baseline(hidden: HiddenSet) -> Score | None:
    """What the set's baseline scores on the same pictures, measured here once; None where there is none.

    A baseline that says what it should score is also the canary: raises CanaryFailed where it does not.
    """
    return _baseline(hidden.digest, hidden) if hidden.baseline else None


def _probe(content: bytes) -> Predictor:
    """A stored head on the bundled backbone."""
    header = read_header(io.BytesIO(content), "baseline.safetensors")
    _, classes, preprocessing = hand_in_metadata(header.metadata, "the baseline")
    model = load_backbone(num_classes=len(classes))
    find_head(model).module.load_state_dict(parse_tensors(content))
    return Predictor(model, classes, preprocessing)
