"""Chapter 01: one training step, the contrastive loss, masked words, and how to see that embeddings collapsed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from course.exercises import narrow
from course.judging import Exercise, Unusable, expect, expect_close, need

train_step = Exercise(
    "01-train-step",
    answer="train_step",
    call="train_step(model, batch, optimizer)",
    title="Take one training step",
    withholds=("course.training.train_one_epoch", "course.training.fit"),
    hints=(
        "A step does four things: forget old gradients, compute the loss, compute its gradients, move the weights.",
        "backward() adds to what `.grad` already holds. cross_entropy takes logits: it contains the softmax.",
        "`loss = cross_entropy(model(x), y)`, then zero_grad(), backward(), step(), and `return loss.item()`.",
    ),
    idea="x, y = batch; loss = F.cross_entropy(model(x), y); optimizer.zero_grad(); loss.backward(); optimizer.step(); "
    "return loss.item().",
)


@train_step.case
def three_batches(rng: torch.Generator) -> dict[str, Any]:
    return step_case("resnet", rng)


def step_case(architecture: str, rng: torch.Generator, *, part: str = "", batches: int = 3) -> dict[str, Any]:
    """Batches for a model of which the optimiser holds `part` ("" for all of it)."""
    return {
        "architecture": architecture,
        "state": narrow.drawn_state(architecture, rng),
        "part": part,
        "lr": 0.05 + 0.05 * float(torch.rand((), generator=rng)),
        "batches": [[narrow.pictures(rng, 8), narrow.labels(rng, 8)] for _ in range(batches)],
    }


def _start(case: dict[str, Any]) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model in train mode, without randomness, and its optimiser."""
    model = narrow.restore(case["architecture"], case["state"])
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model, torch.optim.SGD(model.get_submodule(case["part"]).parameters(), lr=case["lr"], momentum=0.5)


@train_step.probe
def probe_train_step(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    model, optimizer = _start(case)
    returned, weights = [], []
    for x, y in case["batches"]:
        returned.append(answer(model, (x, y), optimizer))
        weights.append(_weights(model))
    kinds = [type(value).__name__ for value in returned]
    return {"returned": returned, "kinds": kinds, "weights": weights}


def _weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@train_step.judge(three_batches, points=2)
def one_step_goes_downhill(case: dict[str, Any], result: dict[str, Any]) -> None:
    """One step moves the weights down the gradient of cross-entropy, so the loss on that batch falls."""
    before = _weights(_start(case)[0])
    got, right = result["weights"][0], steps(case)[0][0]
    because = "the weights went somewhere else than down the gradient of the mean cross-entropy of this batch"
    if torch.equal(got, before):
        because = (
            "no weight moved: backward() fills the gradients, step() uses them, and nothing may clear them between"
        )
    mistakes: dict[str, dict[str, Any]] = {
        "softmax before cross_entropy: it contains the softmax already, and a second one flattens the gradients": {
            "loss": lambda logits, y: F.cross_entropy(logits.softmax(1), y)
        },
        "the losses of the batch were summed: the step then grows with the batch size": {
            "loss": lambda logits, y: F.cross_entropy(logits, y, reduction="sum")
        },
        "the model was in eval mode: BatchNorm then uses its stored statistics; a training step needs train mode": {
            "training": False
        },
        "the optimiser stepped twice": {"repeat": 2},
    }
    for mistake, options in mistakes.items():
        if _near(got, steps(case, **options)[0][0]):
            because = mistake
    expect(
        _near(got, right),
        tried="one step on a batch of 8 pictures",
        got=f"the loss on that batch went from {_loss(case, before):.4f} to {_loss(case, got):.4f}",
        expected=f"to {_loss(case, right):.4f}",
        because=because,
    )


@train_step.judge(three_batches, points=1)
def gradients_do_not_pile_up(case: dict[str, Any], result: dict[str, Any]) -> None:
    """After three steps the weights are where three separate gradients lead."""
    right, got = steps(case)[0], result["weights"]
    because = "each step should use the gradient of its own batch"
    if _near(got[-1], steps(case, clear=False)[0][-1]):
        because = "no zero_grad(): backward() adds to the gradients that are there, so step 3 used all three batches"
    elif not _near(got[0], right[0]):
        because = "the first step is wrong already"
    expect(
        _near(got[-1], right[-1]),
        tried="three calls with three batches and one optimiser",
        got=f"weights that are {float((got[-1] - right[-1]).norm()):.3g} away",
        expected="0 away from three steps of SGD",
        because=because,
    )


@train_step.judge(three_batches, points=1)
def returns_the_loss_as_a_float(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss of the batch comes back as a Python float."""
    kind = result["kinds"][0]
    because = "return the loss"
    if kind == "Tensor":
        because = (
            "a tensor keeps the graph of its batch in memory for as long as you keep the loss; .item() gives a float"
        )
    tried = "looking at what one call returns"
    expect(kind in ("float", "float64", "float32"), tried=tried, got=f"a {kind}", expected="a float", because=because)
    expect_close(
        result["returned"][0],
        steps(case)[1][0],
        tried="the loss that the first call returns",
        rtol=1e-3,
        mistakes={
            "this is the loss after the step; return the one whose gradient was used": _loss(
                case, result["weights"][0]
            ),
            "softmax before cross_entropy": _loss(case, _weights(_start(case)[0]), softmax=True),
        },
    )


def steps(
    case: dict[str, Any], *, loss: Any = F.cross_entropy, training: bool = True, clear: bool = True, repeat: int = 1
) -> tuple[list[torch.Tensor], list[float]]:
    """(weights after each step, losses) of the case's batches."""
    model, optimizer = _start(case)
    weights, losses = [], []
    for x, y in case["batches"]:
        value = loss(model.train(training)(x), y)
        if clear:
            optimizer.zero_grad()
        value.backward()
        for _ in range(repeat):
            optimizer.step()
        weights.append(_weights(model))
        losses.append(value.item())
    return weights, losses


def _loss(case: dict[str, Any], weights: torch.Tensor, *, softmax: bool = False) -> float:
    """The loss on the first batch in train mode, with these weights."""
    model, (x, y) = _start(case)[0], case["batches"][0]
    nn.utils.vector_to_parameters(weights.clone(), model.parameters())
    with torch.no_grad():
        logits = model(x)
        return F.cross_entropy(logits.softmax(1) if softmax else logits, y).item()


def _near(got: torch.Tensor, expected: torch.Tensor) -> bool:
    return got.shape == expected.shape and torch.allclose(got, expected, rtol=1e-3, atol=1e-4)


nt_xent_loss = Exercise(
    "01-write-nt-xent",
    answer="nt_xent",
    call="nt_xent(z, temperature)",
    title="Write the contrastive loss",
    withholds=("course.pretraining.nt_xent",),
    hints=(
        "Cosine similarity is a dot product of rows of length 1: normalise z first. Then z @ z.T holds all pairs.",
        "Row i is a classification: among all other rows, which one is the second view of the same picture?",
        "Fill the diagonal of z @ z.T / temperature with -inf; cross_entropy with target i + N (or i - N).",
    ),
    idea="z = F.normalize(z, dim=1); logits = z @ z.T / temperature, diagonal filled with -inf; "
    "F.cross_entropy(logits, torch.arange(2N).roll(N)).",
)


@nt_xent_loss.case
def six_pictures(rng: torch.Generator) -> dict[str, Any]:
    return views_case(rng, 6, 16, 0.5)


def views_case(rng: torch.Generator, pictures: int, size: int, temperature: float) -> dict[str, Any]:
    """Embeddings of two views of each picture, alike but not equal, of lengths other than 1."""
    base = torch.randn(pictures, size, generator=rng)
    views = torch.cat([base + 0.7 * torch.randn(pictures, size, generator=rng) for _ in range(2)])
    return {
        "z": views * (0.5 + 2 * torch.rand(2 * pictures, 1, generator=rng)),
        "temperature": temperature,
        "scale": 3.0 + torch.rand(2 * pictures, 1, generator=rng),
    }


@nt_xent_loss.probe
def probe_nt_xent(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    z = case["z"].clone().requires_grad_()
    loss = need(answer(z, case["temperature"]), torch.Tensor, "the loss, a tensor of one number")
    if loss.numel() != 1:
        raise Unusable(f"your answer returned a tensor of shape {tuple(loss.shape)}; return the mean over all rows")
    gradient = None
    if loss.requires_grad:
        loss.reshape(()).backward()
        gradient = z.grad
    with torch.no_grad():
        scaled = answer(case["z"] * case["scale"], case["temperature"])
    return {"loss": loss.reshape(()), "gradient": gradient, "scaled": scaled.reshape(())}


@nt_xent_loss.judge(six_pictures, points=2)
def equal_to_the_formula(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is the one of the formula, written as two plain loops."""
    z, temperature = case["z"], case["temperature"]
    expected = by_loops(z, temperature)
    expect_close(
        result["loss"],
        expected,
        tried=f"{len(z) // 2} pictures in two views, at temperature {temperature:g}",
        rtol=1e-3,
        mistakes={
            "self-pairs are in the denominator: every row is most similar to itself, so leave k = i out": by_loops(
                z, temperature, with_self=True
            ),
            "z is not normalised: without it these are dot products, and longer rows look more alike": by_loops(
                z, temperature, normalise=False
            ),
            "self-pairs are in the denominator, and z is not normalised": by_loops(
                z, temperature, with_self=True, normalise=False
            ),
            "the second view of row i is row i + N; you paired neighbours": by_loops(_neighbours(z), temperature),
            "the positive pair belongs in the denominator too: it is the right class among all the others": by_loops(
                z, temperature, with_positive=False
            ),
            "the similarities were multiplied by the temperature; divide": by_loops(z, 1 / temperature),
            "the temperature is missing": by_loops(z, 1.0),
            "the sign is turned round: the loss is minus the log of the fraction": -expected,
            "the rows were summed; take the mean over all 2N": expected * len(z),
            "the mean is over all 2N rows, not over N pictures": expected * 2,
            "only the first N rows were asked; the second views are asked as well": by_loops(
                z, temperature, rows=len(z) // 2
            ),
        },
    )


def _neighbours(z: torch.Tensor) -> torch.Tensor:
    """z in the order in which pairs (i, i + N) are what were neighbours before."""
    return torch.cat([z[0::2], z[1::2]])


@nt_xent_loss.judge(six_pictures, points=1)
def only_directions_count(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Making rows longer or shorter changes nothing: only their directions count."""
    expect_close(
        result["scaled"],
        result["loss"],
        tried="the same rows, each made 3 to 4 times as long",
        rtol=1e-3,
        mistakes={"z is not normalised": by_loops(case["z"] * case["scale"], case["temperature"], normalise=False)},
    )


@nt_xent_loss.judge(six_pictures, points=1)
def the_gradient_reaches_z(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The loss is differentiable: its gradient with respect to z is the right one."""
    expect(
        result["gradient"] is not None,
        tried="loss.backward()",
        got="a loss without a graph",
        expected="a gradient for z",
        because="detach(), .item(), no_grad() and torch.tensor(...) cut the graph, and then nothing can be learned",
    )
    z = case["z"].clone().requires_grad_()
    by_loops(z, case["temperature"]).backward()
    expect_close(result["gradient"], z.grad, tried="the gradient of the loss", rtol=1e-3, atol=1e-5)


def by_loops(
    z: torch.Tensor,
    temperature: float,
    *,
    normalise: bool = True,
    with_self: bool = False,
    with_positive: bool = True,
    rows: int | None = None,
) -> torch.Tensor:
    """NT-Xent of z (2N, D) written as loops: Chen et al., "A simple framework for contrastive learning", equation 1."""
    if normalise:
        z = z / z.norm(dim=1, keepdim=True)
    total, count = len(z), len(z) // 2
    losses = []
    for i in range(rows or total):
        partner = (i + count) % total
        others = [k for k in range(total) if (with_self or k != i) and (with_positive or k != partner)]
        below = torch.stack([z[i] @ z[k] / temperature for k in others])
        losses.append(torch.logsumexp(below, 0) - z[i] @ z[partner] / temperature)
    return torch.stack(losses).mean()


mask_words = Exercise(
    "01-mask-tokens",
    answer="mask_tokens",
    call="mask_tokens(ids, special, p, rng)",
    title="Hide words to be guessed",
    withholds=("course.pretraining.mask_tokens",),
    hints=(
        "First choose: a random number below p, and not one of special['ids']. torch.isin finds the special ones.",
        "labels is a copy of ids with -100 where nothing was chosen; inputs is another copy. Never write into ids.",
        "A second random number r for each position: r < 0.8 is [MASK], 0.8 <= r < 0.9 a random word, else it stays.",
    ),
    idea="chosen = (torch.rand(ids.shape, generator=rng) < p) & ~torch.isin(ids, torch.tensor(special['ids'])); "
    "labels = ids where chosen, else -100; one more torch.rand: [MASK] below 0.8, a random id below 0.9, else itself.",
)

WORDS = 200


@mask_words.case
def padded_sentences(rng: torch.Generator) -> dict[str, Any]:
    return words_case(rng, 0.15)


def words_case(rng: torch.Generator, p: float, order: tuple[int, ...] = (0, 1, 2, 3)) -> dict[str, Any]:
    """Sentences [CLS] words [SEP] with much padding; `order` gives the ids of [PAD], [CLS], [SEP], [MASK]."""
    pad, first, last, mask = order
    ordinary = torch.tensor([number for number in range(WORDS) if number not in order])
    rows, length = 256, 80
    ids = ordinary[torch.randint(len(ordinary), (rows, length), generator=rng)]
    ends = torch.randint(20, length, (rows,), generator=rng)
    position = torch.arange(length)
    ids[position == ends[:, None]] = last
    ids[position > ends[:, None]] = pad
    ids[:, 0] = first
    return {
        "ids": ids,
        "special": {"ids": list(order), "pad": pad, "mask": mask, "vocab_size": WORDS},
        "p": p,
        "seeds": torch.randint(2**31, (2,), generator=rng).tolist(),
    }


@mask_words.probe
def probe_mask_tokens(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    runs = []
    ids = case["ids"].clone()
    for seed in (case["seeds"][0], case["seeds"][0], case["seeds"][1]):
        given = case["ids"].clone()
        returned = answer(given, dict(case["special"]), case["p"], torch.Generator().manual_seed(seed))
        need(returned, (tuple, list), "the changed ids and the labels: `return inputs, labels`")
        if len(returned) != 2 or not all(isinstance(part, torch.Tensor) for part in returned):
            raise Unusable("your answer returned something else than two tensors; `return inputs, labels`")
        if any(part.shape != ids.shape for part in returned):
            raise Unusable(f"inputs and labels have the shape of ids, {tuple(ids.shape)}; yours have another")
        runs.append({"inputs": returned[0].clone(), "labels": returned[1].clone(), "given": given})
    return {"runs": runs}


@mask_words.judge(padded_sentences, points=1)
def special_tokens_are_never_chosen(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Padding and the other special tokens are never changed and never have to be guessed."""
    ids, run = case["ids"], result["runs"][0]
    touched = (run["labels"] != -100) | (run["inputs"] != ids)
    for name, where in {
        "padding": ids == case["special"]["pad"],
        "[CLS] and [SEP]": torch.isin(ids, torch.tensor(case["special"]["ids"])),
    }.items():
        expect(
            not (touched & where).any(),
            tried=f"{len(ids)} sentences padded to {ids.shape[1]} tokens",
            got=f"{int((touched & where).sum())} of {int(where.sum())} positions of {name} were chosen",
            expected="0",
            because="a model that guesses padding learns that most of a sentence is padding; choose among words only"
            if name == "padding"
            else "special tokens say nothing about the sentence; choose among words only",
        )


@mask_words.judge(padded_sentences, points=1)
def labels_are_the_hidden_words(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of the words, a share p is chosen; labels hold the original id there and -100 everywhere else."""
    ids, run = case["ids"], result["runs"][0]
    inputs, labels = run["inputs"], run["labels"]
    words = ~torch.isin(ids, torch.tensor(case["special"]["ids"]))
    chosen = (labels != -100) & words
    changed = (inputs != ids) & words
    lost = int((changed & (labels != ids)).sum())
    because = "a changed position needs its original id as label; was `ids` changed in place before labels were copied?"
    if lost and (labels[changed] == -100).all():
        because = "the labels are turned round: -100 means 'do not ask', and belongs where nothing was chosen"
    expect(
        not lost,
        tried="comparing the labels of changed words with the original ids",
        got=f"{lost} of {int(changed.sum())} differ",
        expected="0 differ",
        because=because,
    )
    expect(
        torch.equal(labels[chosen], ids[chosen]),
        tried="comparing the labels of chosen words with the original ids",
        got=f"{int((labels[chosen] != ids[chosen]).sum())} differ",
        expected="0 differ",
        because="the label is what stood there before",
    )
    n = int(words.sum())
    share = int(chosen.sum()) / n
    expect(
        abs(share - case["p"]) < _six_sigma(case["p"], n),
        tried=f"p = {case['p']:g} on {n} words",
        got=f"{share:.1%} of the words have a label",
        expected=f"about {case['p']:.0%}",
        because="labels are asked everywhere; put -100 where nothing was chosen"
        if share > 0.99
        else _share_because(share),
    )


def _share_because(share: float) -> str:
    return (
        "nothing was chosen"
        if share == 0
        else "each word is chosen with probability p, and the chosen ones have labels"
    )


@mask_words.judge(padded_sentences, points=2)
def eighty_ten_ten(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Of the chosen words, 80 % become [MASK], 10 % a random word, and 10 % stay as they are."""
    ids, run = case["ids"], result["runs"][0]
    words = ~torch.isin(ids, torch.tensor(case["special"]["ids"]))
    chosen = (run["labels"] != -100) & words
    inputs, n = run["inputs"][chosen], max(1, int(chosen.sum()))
    masked = (inputs == case["special"]["mask"]).sum().item() / n
    kept = (inputs == ids[chosen]).sum().item() / n
    other = 1 - masked - kept
    because = "draw one more random number for each chosen word and divide it at 0.8 and 0.9"
    if masked > 0.97:
        because = "every chosen word became [MASK]: the model would never see a real word where it has to answer"
    elif other < 0.001:
        because = "no chosen word became a random one"
    elif kept < 0.02:
        because = "no chosen word was kept"
    elif abs(other - 0.02) < 0.012 and masked < 0.9:
        because = "a tenth of the remaining fifth is 2 %: of what is not [MASK], half becomes a random word"
    expect(
        abs(masked - 0.8) < _six_sigma(0.8, n)
        and abs(kept - 0.1) < _six_sigma(0.1, n)
        and abs(other - 0.1) < _six_sigma(0.1, n),
        tried=f"counting what became of {n} chosen words",
        got=f"{masked:.0%} [MASK], {other:.0%} another word, {kept:.0%} kept",
        expected="80 % [MASK], 10 % another word, 10 % kept",
        because=because,
    )
    replaced = inputs[(inputs != case["special"]["mask"]) & (inputs != ids[chosen])]
    expect(
        len(replaced.unique()) > 20,
        tried=f"looking at the {len(replaced)} random words",
        got=f"{len(replaced.unique())} different ones",
        expected="many of the vocabulary",
        because="draw each random word anew from the whole vocabulary",
    )
    strange = int(((replaced < 0) | (replaced >= case["special"]["vocab_size"])).sum())
    expect(
        not strange,
        tried="looking at the random words",
        got=f"{strange} ids outside the vocabulary",
        expected=f"ids from 0 to {case['special']['vocab_size'] - 1}",
        because="an id outside the vocabulary has no embedding",
    )


@mask_words.judge(padded_sentences, points=1)
def only_the_generator_decides(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The generator alone decides: the same seed hides the same words, another seed others; ids stays as it was."""
    first, again, other = result["runs"]
    expect(
        torch.equal(first["given"], case["ids"]),
        tried="comparing `ids` before and after the call",
        got="changed",
        expected="as it was",
        because="`inputs = ids` is the same tensor under another name: write into ids.clone()",
    )
    same = torch.equal(first["inputs"], again["inputs"]) and torch.equal(first["labels"], again["labels"])
    expect(
        same,
        tried="two calls with generators of the same seed",
        got="different words",
        expected="the same words",
        because="draw with generator=rng everywhere; torch.rand without it uses the global generator",
    )
    expect(
        not torch.equal(first["labels"], other["labels"]),
        tried="two calls with generators of different seeds",
        got="the same words",
        expected="different words",
        because="a fixed choice shows the model the same gaps in every epoch; draw with generator=rng",
    )


def _six_sigma(p: float, n: int) -> float:
    """Six standard deviations of a share of n draws: a right answer leaves them about twice in 10⁹ cases."""
    return 6 * math.sqrt(p * (1 - p) / max(1, n))


measure_collapse = Exercise(
    "01-score-collapse",
    answer="collapse_score",
    call="collapse_score(z)",
    title="See that embeddings collapsed",
    withholds=("course.pretraining.collapse_score",),
    hints=(
        "Collapsed means: every picture gets the same direction. So make each row of length 1 first.",
        "If all rows are alike, each column hardly varies: take the standard deviation over the rows, dim=0.",
        "Unit rows that point everywhere have a deviation of 1/sqrt(D) in each column: multiply the mean by sqrt(D).",
    ),
    idea="u = F.normalize(z, dim=1); return (u.std(dim=0).mean() * z.shape[1] ** 0.5).item()",
)


@measure_collapse.case
def four_clouds(rng: torch.Generator) -> dict[str, Any]:
    return clouds_case(rng, 2000, 32)


def clouds_case(rng: torch.Generator, rows: int, size: int) -> dict[str, Any]:
    """Embeddings that are collapsed or not, in kinds that a learner can imagine."""
    noise = torch.randn(rows, size, generator=rng)
    point = torch.randn(1, size, generator=rng) * 3
    return {
        "constant": point.expand(rows, size).clone(),
        "nearly": point + 0.01 * noise,
        "isotropic": noise,
        "long": noise * 7.0,
        "partly": noise + 0.3 * point,
    }


@measure_collapse.probe
def probe_collapse_score(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    scores = {}
    for name, z in case.items():
        value = need(answer(z.clone()), (int, float, torch.Tensor), "the score, a float")
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise Unusable(f"your answer returned a tensor of shape {tuple(value.shape)}; the score is one number")
        scores[name] = float(value)
    return scores


@measure_collapse.judge(four_clouds, points=2)
def near_zero_when_collapsed(case: dict[str, Any], result: dict[str, float]) -> None:
    """The same embedding for every picture scores 0, and nearly the same one nearly 0."""
    _expect_score(case, result, "constant", "2,000 times the same row", 0.005)
    _expect_score(case, result, "nearly", "2,000 rows that differ by a little noise", 0.005)


@measure_collapse.judge(four_clouds, points=1)
def near_one_when_spread_out(case: dict[str, Any], result: dict[str, float]) -> None:
    """Rows that point in all directions alike score 1, however long they are."""
    _expect_score(case, result, "isotropic", "2,000 rows that point in all directions", 0.02)
    _expect_score(case, result, "long", "the same rows, 7 times as long", 0.02)


@measure_collapse.judge(four_clouds, points=1)
def between_for_the_rest(case: dict[str, Any], result: dict[str, float]) -> None:
    """Rows that lean in one direction score what the formula says."""
    _expect_score(case, result, "partly", "2,000 rows that lean in one direction", 0.02)


def _expect_score(case: dict[str, Any], result: dict[str, float], name: str, tried: str, atol: float) -> None:
    got, expected = result[name], collapse(case[name])
    because = "not a number: was something divided by zero?" if got != got else _mistake(case, result)
    expect(abs(got - expected) <= atol, tried=tried, got=got, expected=f"about {expected:.2f}", because=because)


def _mistake(case: dict[str, Any], result: dict[str, float]) -> str:
    """The misconception that explains all scores at once, or nothing: a single score may have many explanations."""
    clouds = ("nearly", "isotropic", "long", "partly")
    for because, score in MISTAKES.items():
        values = {name: float(score(case[name])) for name in clouds}
        if all(abs(result[name] - value) <= 0.01 * max(1.0, abs(value)) for name, value in values.items()):
            return because
    return ""


def _unit(z: torch.Tensor) -> torch.Tensor:
    return z / z.norm(dim=1, keepdim=True).clamp_min(1e-12)


def collapse(z: torch.Tensor) -> float:
    """The mean deviation of the columns of the normalised rows, times sqrt(D).

    Chen and He, "Exploring simple Siamese representation learning" (2021), section 4.1.
    """
    return _unit(z).std(0).mean().item() * math.sqrt(z.shape[1])


MISTAKES = {
    "uncentred: the root of the mean square is not a deviation; a constant has a large one": (
        lambda z: _unit(z).pow(2).mean(0).sqrt().mean() * math.sqrt(z.shape[1])
    ),
    "the deviation was taken inside each row (dim=1); collapse shows across rows (dim=0)": (
        lambda z: _unit(z).std(1).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised: a longer embedding is not a more varied one": (
        lambda z: z.std(0).mean() * math.sqrt(z.shape[1])
    ),
    "the rows are not normalised, and sqrt(D) is missing": lambda z: z.std(0).mean(),
    "sqrt(D) is missing: unit rows that point everywhere deviate by 1/sqrt(D) in each column": (
        lambda z: _unit(z).std(0).mean()
    ),
    "the score is turned round: 0 is collapsed, 1 is spread out": lambda z: 1 - collapse(z),
    "centred before the rows were normalised: that blows the little noise up to full length": (
        lambda z: collapse(z - z.mean(0))
    ),
}
