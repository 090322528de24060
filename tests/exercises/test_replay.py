"""No judge gives points for artefacts that were written down: replayed, flags set right, or made of the inputs alone.

In the grader a probe runs in one process with the answer, so an answer can make it report whatever it knows.
"""

import __future__

import ast
import functools
import math
import random

import pytest
import torch

from course.judging import wire
from course.judging.bindings import names_bound
from course.judging.exercise import find_exercise
from course.judging.results import Reply
from course.judging.runner import LocalRunner
from course.judging.verdict import judge_exercise
from tests.conftest import ROOT
from tests.exercises import samples
from tests.exercises.samples import all_exercises, all_judges, solution

SECRETS = [("one", "two")]
MIXTURES = 3


@pytest.fixture(autouse=True)
def skip_records(request):
    """The record of an investigation is the answer itself, and nothing is drawn for it: a copy of it is as good."""
    exercise = request.node.callspec.params.get("exercise") if hasattr(request.node, "callspec") else None
    is_about_replay = "earn" in request.node.originalname
    if exercise is not None and "-investigate-" in exercise.id and is_about_replay:
        pytest.skip("a record of measurements can be replayed")


def right_answers(exercise):
    return [solution(exercise.id), *samples.right_answers(exercise.id)]


def wrong_answers(exercise):
    return [answer for answer, _ in samples.wrong_answers(exercise.id)]


def returns_nothing(*_):
    pass


def returns_its_first_input(first, *_):
    return first


def returns_its_first_two_inputs(*inputs):
    return inputs[:2]


def returns_all_its_inputs(*inputs):
    return inputs


def returns_zero(*_):
    return 0.0


def returns_one(*_):
    return 1.0


def returns_a_zero_tensor(*_):
    return torch.zeros((), requires_grad=True) * 1


def returns_zeros_of_a_picture(*_):
    return torch.zeros(3, 224, 224)


def returns_a_tensor_of_the_first_rows(first, second=3, *_):
    return torch.arange(second if isinstance(second, int) else 3)


def returns_its_input_and_no_labels(ids, *_):
    return ids.clone(), torch.full_like(ids, -100)


def returns_its_input_as_labels(ids, *_):
    return ids.clone(), ids.clone()


def returns_zeros_for_the_loader(_, loader):
    batches = list(loader)
    return torch.zeros(sum(len(x) for x, _ in batches), 32), torch.cat([y for _, y in batches])


def returns_an_idle_optimizer(model, *_):
    return model, torch.optim.SGD(model.parameters(), lr=0.0)


def returns_the_state(model, *_):
    return {name: value.clone() for name, value in model.state_dict().items()}


def returns_every_parameter(model, *_):
    return list(model.parameters())


def returns_one_group_at_rate_zero(model, *_):
    return [{"params": list(model.parameters()), "lr": 0.0}]


def raises(*_):
    raise ValueError("no")


def waits_in_eval_mode(model, *_):
    model.eval()


def waits_in_train_mode(model, *_):
    model.train()


class TheBaseAlone(torch.nn.Module):
    def __init__(self, base, *_):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A, self.B = (
            torch.nn.Parameter(torch.ones(_[0], base.in_features)),
            torch.nn.Parameter(torch.zeros(base.out_features, _[0])),
        )

    def forward(self, x):
        return self.base(x) + 0.0 * (self.A.sum() + self.B.sum())

    def merged(self):
        return self.base


IDLE = [
    value
    for name, value in list(globals().items())
    if name.startswith(("returns_", "raises", "waits_", "TheBase")) and callable(value)
]


@functools.cache
def case_bytes(exercise_id, case_name, secret):
    return wire.encode(cases_of(exercise_id)[case_name].inputs(exercise_id, secret))


@functools.cache
def cases_of(exercise_id):
    return {judge.case.name: judge.case for judge in all_judges(find_exercise(exercise_id))}


@functools.cache
def recorded(exercise_id, answer, secret):
    """Case names to what an answer's artefacts are under a secret; cases in which it fails are left out."""
    exercise = find_exercise(exercise_id)
    runner = LocalRunner({exercise.answer: answer})
    replies = {name: runner.run_case(exercise, case_bytes(exercise_id, name, secret)) for name in cases_of(exercise_id)}
    return {name: reply.artefacts for name, reply in replies.items() if reply.artefacts}


class Forger:
    """A runner that answers each case with the artefacts at hand, whatever the answer does."""

    def __init__(self, exercise, secret, artefacts):
        self.replies = {case_bytes(exercise.id, name, secret): blob for name, blob in artefacts.items()}

    def run(self, exercise, cases, seed=0):
        return [Reply(self.replies.get(case) or wire.encode(None)) for case in cases]


def earned(exercise, secret, artefacts):
    """The names of the judges that give points for these artefacts (by case) under this secret."""
    result = judge_exercise(exercise, Forger(exercise, secret, artefacts), judges=all_judges(exercise), secret=secret)
    return {outcome.name for outcome in result.outcomes if outcome.passed}


def is_evidence(value):
    """A value that depends on what was drawn: a tensor, or a real number."""
    return isinstance(value, (torch.Tensor, float))


def with_flags_of(value, model):
    """A wrong answer's artefacts, with flags, texts and counts as in those of a right one."""
    if isinstance(value, dict) and isinstance(model, dict):
        if not any(map(holds_evidence, model.values())):
            return model
        return {key: with_flags_of(value[key], model[key]) if key in value else model[key] for key in model}
    if isinstance(value, list) and isinstance(model, list):
        if not any(map(holds_evidence, model)):
            return model
        return [with_flags_of(a, b) for a, b in zip(value, model, strict=False)] + value[len(model) :]
    return value if is_evidence(value) or is_evidence(model) else model


def holds_evidence(value):
    if isinstance(value, (dict, list)):
        return any(map(holds_evidence, value.values() if isinstance(value, dict) else value))
    return is_evidence(value)


def tensors_in(value, key=""):
    if isinstance(value, torch.Tensor):
        yield key, value
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from tensors_in(item, str(name))


def filled(value, known, key=""):
    """A right answer's artefacts with every tensor exchanged: for an input of that name or shape, or for zeros."""
    if isinstance(value, torch.Tensor):
        fits = [tensor for name, tensor in known if tensor.shape == value.shape and tensor.dtype == value.dtype]
        named = [tensor for name, tensor in known if name == key and tensor.shape == value.shape]
        return (named or fits or [torch.zeros_like(value)])[0]
    if isinstance(value, dict):
        return {name: filled(item, known, name) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, known, str(i)) for i, item in enumerate(value)]
    return value


def mixtures(sources, rng):
    """Artefacts of which each part comes from one of the sources: all that there are, or MIXTURES of them."""
    if not all(isinstance(source, dict) for source in sources):
        return []
    choices = [[source[key] for source in sources if key in source] for key in sources[0]]
    count = math.prod(map(len, choices))
    numbers = range(count) if count <= MIXTURES else rng.sample(range(count), MIXTURES)
    return [dict(zip(sources[0], picked(choices, number), strict=True)) for number in numbers]


def picked(choices, number):
    """The combination of this number: one of each row of choices."""
    for row in choices:
        number, place = divmod(number, len(row))
        yield row[place]


def encoded(by_case):
    return {name: wire.encode(value) for name, value in by_case.items()}


def decoded(artefacts):
    return {name: wire.decode(blob) for name, blob in artefacts.items()}


def made_of_the_inputs(exercise, right, secret):
    """Three forgeries: a right answer's artefacts with the tensors of the case, with zeros, or with nothing in them."""
    inputs = {name: list(tensors_in(wire.decode(case_bytes(exercise.id, name, secret)))) for name in right}
    yield {name: filled(value, inputs[name]) for name, value in right.items()}
    yield {name: filled(value, []) for name, value in right.items()}
    yield {name: {key: emptied(item) for key, item in value.items()} for name, value in right.items()}


def emptied(value):
    if isinstance(value, (dict, list, str)):
        return type(value)()
    return value[:0] if isinstance(value, torch.Tensor) and value.ndim else value


@pytest.mark.one_per_chapter
@pytest.mark.parametrize(("known", "asked"), SECRETS)
def test_artefacts_of_a_right_answer_to_other_inputs_earn_nothing(exercise, known, asked):
    for answer in [*right_answers(exercise), *wrong_answers(exercise)]:
        assert not earned(exercise, asked, recorded(exercise.id, answer, known)), answer.__name__


@pytest.mark.one_per_chapter
def test_setting_the_flags_right_earns_a_wrong_answer_nothing_more(exercise):
    for known, asked in SECRETS:
        right = decoded(recorded(exercise.id, right_answers(exercise)[0], known))
        for answer in wrong_answers(exercise):
            own = recorded(exercise.id, answer, asked)
            forged = {name: with_flags_of(value, right[name]) for name, value in decoded(own).items()}
            more = earned(exercise, asked, encoded(forged)) - earned(exercise, asked, own)
            assert not more, answer.__name__


@pytest.mark.one_per_chapter
def test_doing_nothing_earns_nothing_whatever_the_flags(exercise):
    for known, asked in SECRETS:
        right = decoded(recorded(exercise.id, right_answers(exercise)[0], known))
        for answer in IDLE:
            own = recorded(exercise.id, answer, asked)
            forged = {name: with_flags_of(value, right[name]) for name, value in decoded(own).items()}
            assert not earned(exercise, asked, own), answer.__name__
            assert not earned(exercise, asked, encoded(forged)), answer.__name__


@pytest.mark.one_per_chapter
def test_inputs_sent_back_as_artefacts_earn_nothing(exercise):
    rng = random.Random(0)
    for known, asked in SECRETS:
        right = decoded(recorded(exercise.id, right_answers(exercise)[0], known))
        inputs, zeros, empty = made_of_the_inputs(exercise, right, asked)
        for forged in (inputs, zeros, empty):
            assert not earned(exercise, asked, encoded(forged))
        for answer in IDLE:
            own = decoded(recorded(exercise.id, answer, asked))
            parts = {
                name: (mixtures([right[name], inputs[name], zeros[name], empty[name], own[name]], rng)) for name in own
            }
            for forged in zip(*parts.values(), strict=False):
                assert not earned(exercise, asked, encoded(dict(zip(parts, forged, strict=True)))), answer.__name__


def reachable(module):
    """The top-level statements of a module that its probe reaches by name, the probe itself among them."""
    nodes = ast.parse(module.read_text(encoding="utf-8")).body
    found = [node for node in nodes if has_decorator(node, "probe")]
    for node in found:  # grows
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        found += [other for other in nodes if names & names_bound(other) and other not in found]
    return found


def has_decorator(node, *kinds):
    """True for a function under @exercise.kind or @exercise.kind(...)."""
    parts = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    calls = [part.func if isinstance(part, ast.Call) else part for part in parts]
    return any(isinstance(call, ast.Attribute) and call.attr in kinds for call in calls)


PROBES = sorted(path for path in (ROOT / "course" / "exercises").rglob("*.py") if "@exercise.probe" in path.read_text())


def test_every_exercise_has_its_probe_in_a_module_of_its_own():
    assert len(PROBES) == len(all_exercises())


@pytest.mark.parametrize("module", PROBES, ids=lambda path: path.stem)
def test_a_probe_reaches_no_case_no_judge_and_nothing_that_raises_a_verdict(module):
    nodes = reachable(module)
    assert not [node.name for node in nodes if has_decorator(node, "case", "judge", "hidden_judge")]
    used = {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}
    assert not used & {"Wrong", "expect", "expect_equal", "expect_close", "follows", "diverged"}


@pytest.mark.parametrize("module", PROBES, ids=lambda path: path.stem)
def test_a_probe_reaches_no_other_module_of_its_chapter(module):
    for node in reachable(module):
        for part in ast.walk(node):
            assert not isinstance(part, ast.ImportFrom) or not str(part.module).startswith("course.exercises.nb")


def test_a_probe_runs_without_its_cases_and_judges(exercise):
    (module,) = (path for path in PROBES if f'"{exercise.id}"' in path.read_text(encoding="utf-8"))
    kept = {node.lineno for node in reachable(module)}
    tree = ast.parse(module.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if node.lineno in kept]
    namespace = {"__name__": "a_probe_alone"}
    exec(compile(tree, str(module), "exec", __future__.annotations.compiler_flag), namespace)
    answer = right_answers(exercise)[0]
    runner = LocalRunner({exercise.answer: answer})
    assert not namespace["exercise"].judges
    for name in cases_of(exercise.id):
        (reply,) = runner.run(namespace["exercise"], [case_bytes(exercise.id, name, "one")])
        assert reply.artefacts == recorded(exercise.id, answer, "one")[name], reply.failure
