"""Two processes against one with batches twice as large: the weights and the metrics after training, case by case.

The figure is the largest difference between two weights; of the metrics, accuracies must be equal and losses agree to
1e-6. The processes run on the CPU (gloo). `python -m tests.benchmarks ddp_equal [PROCESSES]`
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from course.models.freezing import freeze
from course.training.loop import fit
from tests.benchmarks import Figure

ROOT = Path(__file__).resolve().parents[2]
BATCH = 16  # samples of a step, of all processes together


def numbers(samples: int, *, processes: int, seed: int = 0, **options: Any) -> DataLoader:
    """Rows of six numbers in three classes, in batches for one of so many processes."""
    x = torch.randn(samples, 6, generator=torch.Generator().manual_seed(seed))
    data = TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())
    return DataLoader(data, batch_size=BATCH // processes, **options)


def pictures(samples: int, *, processes: int) -> DataLoader:
    """Pictures of 6 x 6 pixels with a class for each pixel, a third of them void, one picture wholly."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, 3, 6, 6, generator=generator)
    labels = (x[:, 0] > 0).long()
    labels[torch.rand(labels.shape, generator=generator) < torch.rand(samples, 1, 1, generator=generator)] = 255
    labels[samples // 2] = 255
    return DataLoader(TensorDataset(x, labels), batch_size=BATCH // processes)


def network(*, normalised: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    middle = [nn.BatchNorm1d(16)] if normalised else []
    return nn.Sequential(nn.Linear(6, 16), *middle, nn.Tanh(), nn.Linear(16, 3))


def train(model: nn.Module, batches: DataLoader, val: DataLoader, *, epochs: int = 2, **options: Any) -> dict[str, Any]:
    """The weights and the rows of the history, after training by SGD with momentum."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1, momentum=0.9)
    # Of two GPUs each takes half; in bfloat16, which they would choose, another order of sums already shows.
    where = {"device": os.environ.get("DDP_EQUAL_DEVICE", "cpu"), "precision": "float32"}
    history = fit(model, batches, val, epochs=epochs, optimizer=optimizer, verbose=False, **where, **options)
    return {"model": model.state_dict(), "rows": history.rows}


def uneven_last_batches(processes: int) -> dict[str, Any]:
    shuffled = torch.Generator().manual_seed(3)
    batches = numbers(53, processes=processes, shuffle=True, generator=shuffled)
    return train(network(), batches, numbers(19, processes=processes))


def accumulated_steps(processes: int) -> dict[str, Any]:
    return train(network(), numbers(53, processes=processes), numbers(19, processes=processes), accumulate=3)


def fewer_samples_than_a_batch(processes: int) -> dict[str, Any]:
    return train(network(), numbers(5, processes=processes), numbers(3, processes=processes))


def last_batch_dropped(processes: int) -> dict[str, Any]:
    batches = numbers(16 * 3 + 9, processes=processes, drop_last=True)
    return train(network(), batches, numbers(19, processes=processes), schedule="cosine")


def frozen_batchnorm_clipped(processes: int) -> dict[str, Any]:
    model = network(normalised=True)
    freeze(model[:2])
    return train(model, numbers(53, processes=processes), numbers(19, processes=processes), clip_norm=0.05)


def early_stopping(processes: int) -> dict[str, Any]:
    def factor(step: int) -> float:
        return 1.0 if step < 8 else -0.3  # uphill from the third epoch on

    batches, val = numbers(53, processes=processes), numbers(19, processes=processes)
    return train(network(), batches, val, epochs=9, patience=2, schedule=factor)


def pixels_with_void(processes: int) -> dict[str, Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    batches = pictures(37, processes=processes)
    return train(model, batches, batches, accumulate=2, loss_fn=nn.CrossEntropyLoss(ignore_index=255))


def a_layer_without_use(processes: int) -> dict[str, Any]:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.pooler = network(), nn.Linear(16, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    return train(Spare(), numbers(53, processes=processes), numbers(19, processes=processes))


def killed_and_resumed(processes: int) -> dict[str, Any]:
    """Three epochs, of which the second process run, or here call, finds the first in a checkpoint."""
    folder = Path(os.environ.get("DDP_EQUAL_FOLDER") or tempfile.mkdtemp())
    for epochs in (1, 3):
        shuffled = torch.Generator().manual_seed(3)
        batches = numbers(53, processes=processes, shuffle=True, generator=shuffled)
        val = numbers(19, processes=processes)
        result = train(network(), batches, val, epochs=epochs, checkpoint=folder / f"{processes}.ckpt")
    return result


CASES: dict[str, Callable[[int], dict[str, Any]]] = {
    case.__name__: case
    for case in (
        uneven_last_batches,
        accumulated_steps,
        fewer_samples_than_a_batch,
        last_batch_dropped,
        frozen_batchnorm_clipped,
        early_stopping,
        pixels_with_void,
        a_layer_without_use,
        killed_and_resumed,
    )
}


def measure(processes: str = "2") -> Figure:
    _settle()
    with tempfile.TemporaryDirectory() as folder:
        shared = run_shared(int(processes), Path(folder))
    notes, worst = [], 0.0
    for name, case in CASES.items():
        weights, losses, same = differences(case(1), shared[name])
        worst = max(worst, weights)
        notes.append(
            f"{name}: weights {weights:.1e}, losses {losses:.1e}, accuracies {'equal' if same else 'DIFFERENT'}"
        )
    return Figure(worst, "largest difference of two weights", "1e-6, accuracies equal", tuple(notes))


def run_shared(processes: int, folder: Path) -> dict[str, Any]:
    """What every case gives when so many processes share it, started by torchrun."""
    path = folder / "results"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DDP_EQUAL_FOLDER": str(folder)}
    done = subprocess.run([*launch, __file__, str(path)], env=variables, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return torch.load(path, weights_only=True)


def differences(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float, bool]:
    """The largest difference of two weights, of two losses, and whether all other metrics are the same."""
    weights = max(float((tensor - other["model"][name]).abs().max()) for name, tensor in one["model"].items())
    rows = list(zip(one["rows"], other["rows"], strict=True))
    losses = max(abs(a[name] - b[name]) for a, b in rows for name in a if name.endswith("loss"))
    same = all(a[name] == b[name] for a, b in rows for name in a if not name.endswith(("loss", "seconds")))
    return weights, losses, same


def _settle() -> None:
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False  # its rounding would drown what is compared


def _main(path: str) -> None:
    """One of several processes: run every case, and keep the main one's results."""
    _settle()
    results = {name: case(int(os.environ["WORLD_SIZE"])) for name, case in CASES.items()}
    if os.environ["RANK"] == "0":
        torch.save(results, path)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(sys.argv[1])
