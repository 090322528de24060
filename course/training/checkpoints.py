"""A training run on disk: written whole or not at all, read back as plain data, and checked before anything changes."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course.errors import BadCheckpoint, CannotWrite
from course.files import replacing
from course.training.engine import Engine
from course.training.history import History

FORMAT = "pretrained-course checkpoint 1"


class Run:
    """Everything that a training run changes, to be kept after each epoch and taken up again."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: Any,
        history: History,
        loaders: Iterable[Any],
        *,
        keep_best: bool = False,
    ) -> None:
        # Of a model that torch.compile has wrapped, the one inside: its names are those of an uncompiled one.
        self.model: nn.Module = getattr(model, "_orig_mod", model)
        self.optimizer, self.scaler, self.history = optimizer, scaler, history
        self.loaders, self.keep_best = list(loaders), keep_best
        self.schedule: Any = None
        self.best: dict[str, torch.Tensor] = {}
        self._identity: dict[str, Any] = {}

    def describe(self, *, epochs: int, schedule: Any, **settings: Any) -> None:
        """Note what a checkpoint must agree with to be of this run, before a schedule changes the rates."""
        is_bound = schedule == "cosine"  # only then does an epoch depend on how many there will be
        groups = self.optimizer.param_groups
        self._identity = {
            "model": _shapes(self.model.state_dict()),
            "trainable": [name for name, parameter in self.model.named_parameters() if parameter.requires_grad],
            "optimizer": type(self.optimizer).__name__,
            "lr": [group.get("initial_lr", group["lr"]) for group in groups],
            "schedule": schedule if schedule is None or isinstance(schedule, str) else type(schedule).__name__,
            "epochs": epochs if is_bound else None,
            **settings,
        }

    def resume(self, path: str | Path | None, engine: Engine) -> None:
        """Take up the run kept at `path`, or keep its very beginning there; nothing without a path.

        Raises BadCheckpoint, with model and optimizer untouched, if the file is damaged or of another run.
        """
        if path is None:
            return
        if not engine.processes.gather(Path(path).exists())[0]:  # the main process decides for all
            self._write(path, engine)
            if engine.is_main:
                read_checkpoint(path)  # what could not be read back is better found out before the training
            return
        kept = read_checkpoint(path)
        check_same_run(path, kept["identity"], self._identity)
        self.model.load_state_dict(kept["model"])
        self.optimizer.load_state_dict(kept["optimizer"])
        if kept["scaler"]:  # empty of a run in another precision, such as one begun on a CPU
            self.scaler.load_state_dict(kept["scaler"])
        if self.schedule is not None:
            self.schedule.load_state_dict(kept["schedule"])
        self.best = kept["best"]
        self.history.rows[:] = kept["rows"]
        states, processes = kept["generators"], engine.processes
        restore_generators(states[processes.rank if len(states) == processes.count else 0], self.loaders)
        if self.history.rows and engine.is_main:
            print(f"resuming after epoch {len(self.history)}, from {path}")

    def end_epoch(self, path: str | Path | None, engine: Engine) -> None:
        """Keep the run as it is now; a full disk is said, and does not stop the training."""
        if self.keep_best and self.history.epochs_since_best == 0:
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        if path is not None:
            try:
                self._write(path, engine)
            except CannotWrite as error:
                print(f"epoch {len(self.history)} could not be kept; training goes on. {error}")

    def restore_best(self) -> None:
        """The weights of the best epoch, if they were to be kept."""
        if self.best and self.history.epochs_since_best:
            self.model.load_state_dict(self.best)

    def _write(self, path: str | Path, engine: Engine) -> None:
        generators = engine.processes.gather(generator_states(self.loaders))
        if not engine.is_main:
            return
        content = {
            "identity": self._identity,
            "rows": self.history.rows,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "best": self.best,
            "generators": generators,
        }
        write_checkpoint(path, content)


def write_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint at `path`; whoever is killed on the way leaves the old one as it was.

    `content` holds tensors, numbers, strings, lists and dicts only. Raises CannotWrite, if the disk is full say.
    """
    with replacing(Path(path), parents=True, alone=True) as unfinished, open(unfinished, "wb") as file:
        torch.save({"format": FORMAT, **content}, file)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What `write_checkpoint` was given. No code in the file is ever run; BadCheckpoint if it is not such a file."""
    advice = "delete it to start this training over, or pass another path"
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()  # torch.load itself does not look at the checksums
        if wrong is not None:
            raise zipfile.BadZipFile(f"the checksum of {wrong} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BadCheckpoint(
            f"{path} cannot be read ({error}); pass the path of a file you may read and write"
        ) from error
    except Exception as error:  # torch.load raises many kinds, from zip errors to unpickling ones
        raise BadCheckpoint(f"{path} is damaged or no checkpoint of fit ({type(error).__name__}); {advice}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadCheckpoint(f"{path} was not written by this version's fit; {advice}")
    return content


def check_same_run(path: str | Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raises BadCheckpoint naming the first setting, or the first tensor, in which the two runs differ."""
    advice = "repeat the call that wrote it, delete the file to start over, or pass another path"
    for key in expected:
        if found.get(key) != expected[key]:
            raise BadCheckpoint(
                f"{path} belongs to another run: its {key} is {_brief(found.get(key), expected[key])}, "
                f"here it is {_brief(expected[key], found.get(key))}; {advice}"
            )


def _brief(value: Any, other: Any) -> str:
    """The value, or of a dict only what differs first from the other one."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return repr(value)
    name = next(name for name in [*value, *other] if value.get(name) != other.get(name))
    return f"{name} {value[name]}" if name in value else f"without {name}"


def _shapes(tensors: dict[str, torch.Tensor]) -> dict[str, list[int]]:
    """The shape of each tensor by name: what a model must share with a checkpoint."""
    return {name: list(tensor.shape) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}


def generator_states(loaders: Iterable[Any]) -> dict[str, Any]:
    """The state of every generator a training run draws from: Python's, numpy's, torch's, each GPU's, each loader's."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "loaders": [generator.get_state() for generator in _generators(loaders)],
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_generators(states: dict[str, Any], loaders: Iterable[Any]) -> None:
    """Set every generator to the state that `generator_states` gave; GPUs that are not there any more are left out."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    for generator, state in zip(_generators(loaders), states["loaders"], strict=False):
        generator.set_state(state)
    if "cuda" in states and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])


def _generators(loaders: Iterable[Any]) -> list[torch.Generator]:
    """Each generator of these loaders once: a DataLoader usually shares its own with its sampler."""
    found: dict[int, torch.Generator] = {}
    for loader in loaders:
        owners = (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
        for owner in (*owners, getattr(owners[2], "sampler", None), getattr(loader, "dataset", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                found[id(generator)] = generator
    return list(found.values())
