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
from itertools import compress

import torch
from PIL import Image
from safetensors.torch import load as parse_tensors

from course.applications.predictor import Predictor
from course.capstone.handing_in import CARD, WEIGHTS, hand_in_metadata, read_card_file, read_predictor
from course.errors import CanaryFailed, CourseError
from course.grading.capstone.pictures import HiddenSet, Picture
from course.grading.capstone.rules import EXERCISE, ISOLATION, POINTS
from course.grading.grades import GRADED, MACHINERY, Grade
from course.judging.results import Outcome
from course.judging.timelimit import time_limit
from course.models.backbones import load_backbone
from course.models.heads import find_head
from course.zoo.safetensors_header import read_header

_HOW = "graded with the instructor's own, course grade --capstone-pictures FOLDER"
LIMIT_S = 300.0  # a hand-in takes seconds; only a machine that is very busy comes near
NOTHING = "the weights do not load, so nothing is earned: the card describes weights, and none can be shown a picture"
CLAIMS = {
    "loads": f"{WEIGHTS} holds the weights of an architecture from the list, and loads",
    "card": f"{CARD} is a complete model card",
    "guessing": "On hidden pictures it is better than guessing, by its 95 % interval",
    "baseline": "On hidden pictures it is not clearly behind the baseline, a frozen probe",
    "style": "In the hidden style that it knows least it is not clearly behind the baseline",
    "damaged": "On damaged hidden pictures it is not clearly behind the baseline",
}


@dataclass(frozen=True)
class Score:
    """Which pictures a classifier was right on, in a set's order: of all, of each style, and of the damaged ones."""

    clean: tuple[bool, ...]
    styles: dict[str, tuple[bool, ...]]
    damaged: tuple[bool, ...]

    @property
    def worst(self) -> str:
        """The style in which it was right least often."""
        return min(self.styles, key=lambda style: (_share(self.styles[style]), style))


def grade_capstone(
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
    try:
        if problem:
            raise CourseError(problem)
        predictor = read_predictor(content, WEIGHTS)
    except CourseError as error:
        rest = [_outcome(name, False) for name in POINTS if name != "loads"]
        return (_outcome("loads", False, WEIGHTS, because=str(error)), *rest), (NOTHING,), ()
    loads, about_card = _outcome("loads", True), _card(card)
    hidden = next((one for one in sets if one.fits(predictor.classes)), None)
    if hidden is None:
        names = ", ".join(predictor.classes[:5])
        note = f"it loads, but there are no hidden pictures of its classes ({names}): {_HOW}"
        return (loads, about_card), (note,), ()
    score, least = score_of(predictor, hidden), baseline(hidden)
    about = ("set", hidden.name), ("model", predictor.origin.name), ("weights", weights_digest(predictor))
    measures = (*about, *_measures(score))
    return (loads, about_card, *_compared(score, least, hidden)), tuple(_said(score)), measures


def weights_digest(predictor: Predictor) -> str:
    """A hash of the tensors, names, shapes and numbers: the same for a copy with other metadata or in other order."""
    found = hashlib.sha256()
    for name, tensor in sorted(predictor.model.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def _outcome(name: str, passed: bool, tried: str = "", got: str = "", expected: str = "", because: str = "") -> Outcome:
    return Outcome(name, CLAIMS[name], POINTS[name], passed, tried, got, expected, because)


def _card(content: bytes | None) -> Outcome:
    if content is None:
        reason = f"no model card came with the weights; hand in {CARD} beside {WEIGHTS}"
        return _outcome("card", False, CARD, because=reason)
    gaps = read_card_file(content)[1]
    return _outcome("card", not gaps, CARD, because="; ".join(gaps))


def _compared(score: Score, least: Score | None, hidden: HiddenSet) -> Iterator[Outcome]:
    counts = Counter(picture.label for picture in hidden.pictures)
    chance = max(counts.values()) / len(hidden.pictures)
    shown, style = f"{len(score.clean)} hidden pictures", score.worst
    low, _ = interval(sum(score.clean), len(score.clean))
    yield _outcome("guessing", low > chance, shown, in_words(score.clean), f"an interval above {chance:.2f}")
    for name, tried, mine, theirs in (
        ("baseline", shown, score.clean, least and least.clean),
        ("style", f"the style {style or 'of all'}", score.styles[style], least and least.styles[style]),
        ("damaged", f"{len(score.damaged)} damaged pictures", score.damaged, least and least.damaged),
    ):
        passed, got, expected = _against(mine, theirs) if theirs else _against_half(mine, chance)
        yield _outcome(name, passed, tried, got, expected)


def _against(mine: Sequence[bool], theirs: Sequence[bool]) -> tuple[bool, str, str]:
    """(passed, got, expected): the same pictures, shown to a hand-in and to the baseline."""
    alone = sum(a > b for a, b in zip(mine, theirs, strict=True))
    missed = sum(a < b for a, b in zip(mine, theirs, strict=True))
    got = f"{in_words(mine)}; it alone is right on {alone}, the baseline alone on {missed}"
    bar = f"the baseline's {_share(theirs):.2f}"
    expected = f"{bar}, or no further below it than chance explains (McNemar's exact test, 95 %)"
    return not behind(alone, missed), got, expected


def behind(alone: int, missed: int) -> bool:
    """Whether one of two classifiers is clearly behind, shown the same pictures: McNemar's exact test, 95 %.

    `alone` are the pictures on which it is right and the other wrong, `missed` those the other way round. Were the two
    equally good, each of these would be a coin's toss: McNemar 1947, https://doi.org/10.1007/BF02295996
    """
    from scipy.stats import binomtest

    return alone < missed and bool(binomtest(alone, alone + missed).pvalue < 0.05)


def _against_half(mine: Sequence[bool], chance: float) -> tuple[bool, str, str]:
    """(passed, got, expected) where there is no baseline: then a point halfway from guessing takes its place."""
    half = chance + (1 - chance) / 2
    _, high = interval(sum(mine), len(mine))
    expected = f"an interval that reaches {half:.2f}, half of the way from guessing, as these pictures have no baseline"
    return high >= half, in_words(mine), expected


def _measures(score: Score) -> Iterator[tuple[str, str | float]]:
    right, shown = sum(score.clean), len(score.clean)
    low, high = interval(right, shown)
    yield from (("right", right), ("shown", shown), ("low", low), ("high", high))
    yield from (("worst style", score.worst), ("in it", _share(score.styles[score.worst])))
    yield "damaged", _share(score.damaged)


def _said(score: Score) -> Iterator[str]:
    """What a learner should know whatever the points: the figures with their intervals."""
    yield f"accuracy on hidden pictures: {in_words(score.clean)}"
    if len(score.styles) > 1:
        styles = (f"{style} {_share(right):.2f}" for style, right in sorted(score.styles.items()))
        yield f"in each style, none of which was handed out: {', '.join(styles)}"
    yield f"on damaged pictures: {in_words(score.damaged)}"


def in_words(right: Sequence[bool]) -> str:
    """ "0.62 (0.54 to 0.69) of 160": the accuracy with its 95 % interval."""
    low, high = interval(sum(right), len(right))
    return f"{_share(right):.2f} ({low:.2f} to {high:.2f}) of {len(right)}"


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right)


def interval(right: int, shown: int) -> tuple[float, float]:
    """Wilson's interval for the accuracy, 95 %."""
    from scipy.stats import binomtest

    found = binomtest(int(right), int(shown)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def score_of(predictor: Predictor, hidden: HiddenSet) -> Score:
    """What the classifier gets right of a set's pictures. A prediction that is not a number is wrong."""
    right, styles = _right(predictor, hidden.pictures), [picture.style for picture in hidden.pictures]
    by_style = {name: tuple(compress(right, (style == name for style in styles))) for name in sorted(set(styles))}
    return Score(right, by_style, _right(predictor, hidden.spoiled))


def _right(predictor: Predictor, pictures: Sequence[Picture]) -> tuple[bool, ...]:
    with _no_tiny_numbers():
        predicted = predictor.predict((Image.open(io.BytesIO(picture.content)) for picture in pictures), batch_size=16)
    usable = predicted.probabilities.isfinite().all(1).tolist()
    return tuple(
        name == picture.label and ok for name, picture, ok in zip(predicted.names, pictures, usable, strict=True)
    )


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
    low, high = interval(sum(score.clean), len(score.clean))
    stated = float(header.metadata["accuracy"])
    if not low - 0.05 <= stated <= high + 0.05:
        raise CanaryFailed(
            f"on {socket.gethostname()} the stored probe of {hidden.name} is right on {sum(score.clean)} of "
            f"{len(score.clean)} hidden pictures, and should be on {stated:.0%}; no capstone is graded there: run "
            "`course doctor` on it, and fix what it finds"
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
