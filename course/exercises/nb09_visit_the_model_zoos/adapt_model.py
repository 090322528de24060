"""A pretrained model from a zoo: loaded, frozen, given a new head, and trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from course.judging import Exercise, Wrong, expect, need

SIZE = 48  # pixels
TRAINED, UNSEEN = 12, 10  # pictures per class
ENOUGH = 0.55  # accuracy on unseen pictures of three or four classes
FITTED = 0.9  # accuracy on the training pictures that any trained head exceeds

exercise = Exercise(
    "09-adapt-model",
    answer="adapt",
    call="adapt(pictures, labels)",
    title="Load, freeze, re-head, train",
    time_limit_s=60.0,
    hints=(
        "Four steps: load the pretrained model, freeze it, replace its last layer by one with as many outputs as there "
        "are classes, and train only that layer. Which mode must the backbone be in while you train?",
        "`model = load_backbone().requires_grad_(False)`; its last layer is `model.classifier`. A new `nn.Linear` is "
        "trainable from the start. Stay in eval mode, or BatchNorm's running statistics move (chapter 02).",
        "A frozen backbone gives the same features in every epoch, so compute them once: `features = model(pictures)` "
        "while `model.classifier` is an `nn.Identity()`. Then train the new layer on them with AdamW for fifty steps "
        "or more, and put it in place.",
    ),
    idea="model = load_backbone().eval(); model.classifier = nn.Identity(); features = model(pictures) without "
    "gradients; train head = nn.Linear(1280, number of classes) on them with AdamW at 0.01 for 100 steps; "
    "model.classifier = head; return model.",
)


@exercise.case
def three_classes(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, 3)


@exercise.case
def four_classes(rng: torch.Generator) -> dict[str, Any]:
    return pictures_case(rng, 4)


def pictures_case(rng: torch.Generator, classes: int) -> dict[str, Any]:
    """Emoji of some of the easier classes, in an order that is drawn; and the seed of the fingerprints."""
    from course.data.emoji import CLASSES, Emoji

    easy = ["face", "hand", "clothing", "vehicle", "plant", "mammal"]
    drawn = [CLASSES.index(easy[i]) for i in torch.randperm(len(easy), generator=rng)[:classes].tolist()]
    data = Emoji("train", per_class=TRAINED + UNSEEN, size=SIZE, seed=int(torch.randint(1000, (), generator=rng)))
    parts: dict[str, list[Any]] = {"pictures": [], "labels": [], "unseen": [], "unseen_labels": []}
    for label, original in enumerate(drawn):
        members = (data.labels == original).nonzero()[:, 0].tolist()
        for place, index in enumerate(members):
            is_trained = place < TRAINED
            parts["pictures" if is_trained else "unseen"].append(data[index][0] * 2 - 1)  # these weights' preprocessing
            parts["labels" if is_trained else "unseen_labels"].append(label)
    orders = [torch.randperm(len(parts[key]), generator=rng) for key in ("pictures", "unseen")]
    return {
        "pictures": torch.stack(parts["pictures"])[orders[0]],
        "labels": torch.tensor(parts["labels"])[orders[0]],
        "unseen": torch.stack(parts["unseen"])[orders[1]],
        "unseen_labels": torch.tensor(parts["unseen_labels"])[orders[1]],
        "fingerprint_seed": int(torch.randint(1 << 30, (), generator=rng)),
    }


def fingerprints(state: dict[str, torch.Tensor], seed: int) -> dict[str, float]:
    """A number per floating-point tensor: its product with a drawn vector, relative to its size."""
    found = {}
    for name, value in state.items():
        if value.is_floating_point() and value.numel() > 1:
            generator = torch.Generator().manual_seed(seed + value.numel())
            drawn = torch.rand(value.numel(), generator=generator, dtype=torch.float64) - 0.5
            flat = value.detach().double().cpu().flatten()
            found[name] = float(flat @ drawn / (flat.norm() + 1e-12))
    return found


@exercise.probe
def probe_adapt(answer: Any, case: dict[str, Any]) -> dict[str, Any]:
    returned = answer(case["pictures"].clone(), case["labels"].clone())
    model = need(returned, nn.Module, "the model: `return model`").cpu().eval()
    found = fingerprints(model.state_dict(), case["fingerprint_seed"])
    with torch.no_grad():
        outputs = [getattr(logits, "logits", logits) for logits in (model(case["pictures"]), model(case["unseen"]))]
    return {
        "fingerprints": torch.tensor([*found.values()], dtype=torch.float64),
        "trained_logits": outputs[0],
        "unseen_logits": outputs[1],
    }


def judge_outputs(case: dict[str, Any], result: dict[str, Any]) -> torch.Tensor:
    """The unseen pictures' logits. Raises Wrong unless they are numbers, a row per picture and a column per class."""
    size = [len(case["unseen"]), int(case["labels"].max()) + 1]
    for name in ("trained_logits", "unseen_logits"):
        logits = result[name]
        rows = len(case["pictures"]) if name == "trained_logits" else size[0]
        shape = list(logits.shape)
        expect(
            shape == [rows, size[1]],
            tried=f"{rows} pictures through your model",
            got=f"shape {shape}",
            expected=f"shape {[rows, size[1]]}, one logit per class",
            because="the model has to return one row per picture and one logit per class of the training labels",
        )
        expect(
            bool(logits.isfinite().all()),
            tried=f"{rows} pictures through your model",
            got="NaN or infinity among the logits",
            expected="finite logits",
            because="such logits can't be compared, so no class wins",
        )
    return result["unseen_logits"]


def judge_backbone(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless every pretrained tensor but the head's is in the model unchanged."""
    from course.models import load_backbone

    judge_outputs(case, result)
    published = {
        name: value
        for name, value in fingerprints(load_backbone().state_dict(), case["fingerprint_seed"]).items()
        if not name.startswith("classifier")
    }
    found = result["fingerprints"].double().flatten()
    missing = [name for name, value in published.items() if not bool(((found - value).abs() < 1e-7).any())]
    statistics = [name for name in missing if "running" in name]
    because = "some of the pretrained tensors are no longer what the file holds"
    if missing and len(statistics) == len(missing):
        because = "only running statistics differ: BatchNorm was in train mode while pictures went through the model"
    elif len(missing) == len(published):
        because = "nothing of the published file is left: were its weights loaded, and was everything trained?"
    elif not statistics:
        because = "the running statistics are those of the file, and weights differ: they were trained or replaced"
    expect(
        not missing,
        tried=f"looking for the {len(published)} tensors of the pretrained backbone in your model",
        got=f"{len(missing)} that are not there unchanged, such as {missing[0] if missing else ''}",
        expected="all of them, unchanged",
        because=because,
    )


def judge_accuracy(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Raise Wrong unless the model has learned: it is right on most pictures that it hasn't seen."""
    unseen = judge_outputs(case, result)
    accuracy = _accuracy(unseen, case["unseen_labels"])
    trained = _accuracy(result["trained_logits"], case["labels"])
    classes = int(case["labels"].max()) + 1
    if accuracy >= ENOUGH:
        return
    because = f"on its own training pictures the model is right for {trained:.0%}"
    if len(unseen.argmax(1).unique()) == 1:
        because += "; it predicts the same class for every unseen picture"
    elif trained < FITTED:
        because += f"; a head that is trained on these features fits more than {FITTED:.0%}: does the loss fall?"
    else:
        because += (
            ": it fits them, but what it learned does not carry over. Are the features those of the pretrained file?"
        )
    raise Wrong(
        tried=f"{len(unseen)} unseen pictures of {classes} classes",
        got=f"accuracy {accuracy:.2f}",
        expected=f"{ENOUGH:g} or more (guessing: {1 / classes:.2f})",
        because=because,
    )


def _accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    return (logits.argmax(1) == labels).float().mean().item()


@exercise.judge(three_classes, points=2)
def the_backbone_is_the_published_one(case: dict[str, Any], result: dict[str, Any]) -> None:
    """Every tensor of the pretrained backbone is in the model unchanged, BatchNorm's statistics included."""
    judge_backbone(case, result)


@exercise.judge(three_classes, points=2)
def the_head_has_learned(case: dict[str, Any], result: dict[str, Any]) -> None:
    """The model has one logit per class, and is right on most unseen pictures."""
    judge_accuracy(case, result)


@exercise.judge(four_classes, points=1)
def both_with_another_number_of_classes(case: dict[str, Any], result: dict[str, Any]) -> None:
    """With four classes, too, the backbone is unchanged and the head has learned."""
    judge_backbone(case, result)
    judge_accuracy(case, result)
