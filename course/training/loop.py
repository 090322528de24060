"""The training loop: `train_one_epoch`, `evaluate`, and `fit`, which repeats the two and takes care of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course.errors import TrainingError
from course.models.freezing import evaluating, set_train, trainable_parameters
from course.notebook.progress_bars import progress_bar
from course.runtime import environment, is_live
from course.training import memory
from course.training.batches import Batch, MicroBatch
from course.training.checkpoints import Run
from course.training.engine import Engine
from course.training.history import History
from course.training.metrics import BatchMetrics, RunningMeans, compute_loss, ignore_index_of
from course.training.schedules import cosine, make_schedule, step_schedule
from course.training.stopping import stoppable_training

__all__ = ["History", "cosine", "evaluate", "fit", "train_one_epoch"]


def fit(
    model: nn.Module,
    train_loader: Iterable,
    val_loader: Iterable | None = None,
    *,
    epochs: int,
    lr: float = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: Callable | None = None,
    schedule: Any = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    device: str | Engine = "auto",
    precision: str = "auto",
    compile: bool = False,
    verbose: bool = True,
) -> History:
    """The `History` of `epochs` epochs of training; `model` is changed in place, and left in eval mode.

    A loader gives (inputs, labels). Frozen parts of the model don't change. The optimizer is AdamW over the
    trainable parameters with rate `lr`, unless one is given (`lr` is then not used); the loss is cross-entropy.
    `schedule` is "cosine" (with a warm-up over a tenth of the steps), a function from the step to a factor, or a torch
    scheduler; it moves after every step. A step uses `accumulate` batches and gradients of norm `clip_norm` at most.
    After `patience` epochs without a lower validation loss the best weights come back and training ends.
    With `checkpoint`, each finished epoch is saved in that file; the same call repeated resumes after the last one.
    `compile` runs the model through torch.compile first: a minute or more, for faster steps from then on.
    Raises EmptyData, BadLabels, NonFiniteLoss, OutOfMemory, BadCheckpoint, or TrainingError for impossible settings;
    if you interrupt it, TrainingStopped (a KeyboardInterrupt) with the `history` so far.

    Several processes, one per GPU, share each step if `torchrun --nproc-per-node 2 script.py` or `accelerate launch
    script.py` started them, on one machine or more. In a notebook, restart the kernel, set up without touching a GPU,
    and put everything else into a function that loads model and data and calls `fit`:

        course.setup(PROFILE, SEED, device="cpu")
        accelerate.notebook_launcher(train, num_processes=2)

    N processes with loaders of `batch_size` B do what one does with N x B. Only the main one prints and writes the
    checkpoint, to a folder that all can read. BatchNorm that isn't frozen sees the batch of its own process only.
    """
    engine = Engine.on(device, precision, compile=compile)
    engine.prepare_model(model)
    if optimizer is None:
        fused = True if engine.device.type == "cuda" else None  # None leaves the choice to torch
        optimizer = torch.optim.AdamW(_trainable(model), lr=lr, fused=fused)
    _check_settings(model, optimizer, epochs, accumulate, patience, val_loader)
    history, loaders = History(), (train_loader, val_loader)
    for loader in loaders:
        engine.processes.prepare_loader(loader)  # first: a prepared loader has a generator of its own to checkpoint
    run = Run(model, optimizer, engine.scaler, history, loaders, keep_best=patience is not None)
    steps = engine.processes.steps_per_epoch(train_loader, accumulate)
    settings: dict[str, Any] = {"clip_norm": clip_norm, "accumulate": accumulate}
    run.describe(epochs=epochs, schedule=schedule, steps=steps, **settings)
    run.schedule = make_schedule(schedule, optimizer, steps and steps * epochs)
    run.resume(checkpoint, engine)
    show = _Display(verbose and engine.is_main)
    memory.take_peak_memory(engine.device)  # forget the peak of what ran before

    with stoppable_training(model, history, epochs, checkpoint):
        remaining = range(len(history), epochs)
        # Without the table, a single epoch may be too short for a bar, and all of them together long enough for one.
        for _ in remaining if verbose or not engine.is_main else progress_bar(remaining, "epochs"):
            if _should_stop(history, patience):
                break
            started, epoch = time.perf_counter(), len(history) + 1
            row: dict[str, Any] = {"epoch": epoch, "lr": optimizer.param_groups[-1]["lr"]}
            means = train_one_epoch(
                model,
                train_loader,
                optimizer,
                loss_fn=loss_fn,
                schedule=run.schedule,
                device=engine,
                epoch=epoch,
                **settings,
            )
            row |= _prefixed("train", means)
            if val_loader is not None:
                row |= _prefixed("val", evaluate(model, val_loader, loss_fn=loss_fn, device=engine))
            row |= memory.take_peak_memory(engine.device)
            history.rows.append({**row, "seconds": time.perf_counter() - started})
            show(history)
            run.end_epoch(checkpoint, engine)

    if _should_stop(history, patience):
        history.note = f"no lower val_loss for {patience} epochs: restored the weights of epoch {history.best['epoch']}"
        show(history)
    run.restore_best()
    model.eval()
    return history


def train_one_epoch(
    model: nn.Module,
    loader: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    loss_fn: Callable | None = None,
    schedule: Any = None,
    clip_norm: float | None = None,
    accumulate: int = 1,
    device: str | Engine = "auto",
    epoch: int = 1,
) -> dict[str, float]:
    """The mean loss, the accuracy and the number of samples of one pass over `loader`; `model` is trained in place.

    Means are over labels (samples, or the pixels or words that the loss doesn't ignore), so a small last batch gets
    no more than its share. `epoch` is mentioned in the error if the loss becomes NaN or infinite.
    """
    engine = Engine.on(device)
    network = engine.prepare_model(model)
    set_train(model)
    running = RunningMeans(engine, epoch)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for step in _groups(engine.batches(loader, f"epoch {epoch}"), accumulate):
        metrics = _accumulate_gradients(network, step, optimizer, loss_fn, engine)
        running.update(metrics, len(step), optimizer)
        if clip_norm is not None:
            engine.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(parameters, clip_norm)
        engine.scaler.step(optimizer)
        engine.scaler.update()
        if schedule is not None:
            step_schedule(schedule, engine.scaler)
    engine.processes.broadcast_buffers(model)
    return running.means()


def evaluate(
    model: nn.Module, loader: Iterable, *, loss_fn: Callable | None = None, device: str | Engine = "auto"
) -> dict[str, float]:
    """The mean loss, the accuracy and the number of samples over `loader`, in eval mode; modes are restored."""
    engine = Engine.on(device)
    engine.prepare_model(model)
    running = RunningMeans(engine)

    def measure(micro_batch: MicroBatch) -> BatchMetrics:
        _, metrics = compute_loss(model, micro_batch, loss_fn, engine)
        return metrics

    with evaluating(model), torch.inference_mode():
        for batch in engine.batches(loader, "evaluating"):
            running.update(_run_micro_batches(engine, [batch], loss_fn, measure), 1)
    return running.means()


def _accumulate_gradients(
    network: nn.Module, step: list[Batch], optimizer: torch.optim.Optimizer, loss_fn: Callable | None, engine: Engine
) -> list[BatchMetrics]:
    """Leaves the gradient of the mean loss over all batches of a step in the parameters; the metrics on the way."""

    def forward_and_backward(micro_batch: MicroBatch) -> BatchMetrics:
        with engine.processes.gradient_sync(network, micro_batch):
            loss, metrics = compute_loss(network, micro_batch, loss_fn, engine)
            engine.scaler.scale(loss if micro_batch.weight == 1 else loss * micro_batch.weight).backward()
        return metrics

    return _run_micro_batches(engine, step, loss_fn, forward_and_backward, before=optimizer.zero_grad)


def _run_micro_batches(
    engine: Engine,
    batches: list[Batch],
    loss_fn: Callable | None,
    run: Callable[[MicroBatch], BatchMetrics],
    before: Callable | None = None,
) -> list[BatchMetrics]:
    """The result of `run` for each micro-batch of these batches; if memory runs out, all are run again, but smaller."""
    while True:
        try:
            if before is not None:
                before()
            return [run(micro_batch) for micro_batch in engine.micro_batches(batches, ignore_index_of(loss_fn))]
        except RuntimeError as error:
            engine.halve_micro_batches(batches, error)
        memory.empty_cache(engine.device)  # only now: until here the error kept the attempt's tensors alive


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    batches = iter(batches)
    while group := list(islice(batches, size)):
        yield group


def _check_settings(
    model: nn.Module, optimizer: Any, epochs: int, accumulate: int, patience: int | None, val_loader: Any
) -> None:
    """Raises TrainingError for settings under which training would do nothing, or not what was meant."""
    trainable = {id(parameter) for parameter in _trainable(model)}
    if not trainable & {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}:
        raise TrainingError(
            "the optimizer holds none of the model's trainable parameters; create it after the last change to the "
            "model (a new head, unfreezing), from trainable_parameters(model)"
        )
    if epochs < 0 or accumulate < 1:
        raise TrainingError(f"epochs={epochs}, accumulate={accumulate}: epochs start at 0, accumulate at 1")
    if patience is not None and (patience < 1 or val_loader is None):
        raise TrainingError(f"patience={patience} needs a val_loader to watch, and at least 1 epoch")


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    parameters = trainable_parameters(model)
    if not parameters:
        raise TrainingError(
            "every parameter of the model is frozen; unfreeze some layers, or replace the head: a new head is trainable"
        )
    return parameters


def _should_stop(history: History, patience: int | None) -> bool:
    return patience is not None and history.epochs_since_best >= patience


def _prefixed(split: str, means: dict[str, float]) -> dict[str, float]:
    return {f"{split}_{name}": value for name, value in means.items() if name != "samples"}


class _Display:
    """A table with curves that grows with every epoch if somebody watches the notebook; otherwise a line per epoch."""

    def __init__(self, wanted: bool) -> None:
        self._wanted, self._handle = wanted, None
        self._live = wanted and is_live() and environment() in ("Jupyter", "Colab", "Kaggle")

    def __call__(self, history: History) -> None:
        if self._live:
            self._update(history)
        elif self._wanted:
            print(history.note or history.line())

    def _update(self, history: History) -> None:
        from IPython.display import HTML, display

        table = HTML(history._repr_html_())
        if self._handle is None:
            self._handle = display(table, display_id=True)
        else:
            self._handle.update(table)
