"""The full profile's code on a GPU machine, in one command: speed, precisions, memory, several GPUs, every notebook.

    python -m tests.benchmarks gpu [--notebooks NAME ...] [--jobs 4]

Prints a table for tests/benchmarks/README.md. What would be downloaded is stood in for: pictures, texts and models of
the real sizes, with random contents and weights, so that no network is needed, and claims about accuracy are not
looked at. The notebooks run last, `--jobs` of them at once, in their order. `--small` tries the code on a CPU.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch.utils.data import Subset

from course import authoring
from course.data.loaders import make_loader
from course.data.pets import Pets
from course.errors import CourseError
from course.models.backbones import image_transform, load_backbone
from course.training.features import extract_features
from course.training.loop import evaluate, fit
from tests import full_profile, standin_models
from tests.benchmarks import Figure, _stand_ins, ddp_equal, gpu_throughput

ROOT = Path(__file__).resolve().parents[2]
LEFT_GIB = 3  # of GPU memory, where it is to run out


def measure(*arguments: str) -> Figure | None:
    options = _options(arguments)
    if not options.small and not torch.cuda.is_available():
        print("gpu: not run: there is no CUDA GPU here (--small tries the code on a CPU)")
        return None
    trial = Trial("cpu", "resnet18", 32, 4) if options.small else Trial("cuda", "resnet50", 224, 128)
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_DATA"] = str(_stand_ins.lay_out(Path(folder), small=options.small))
        os.environ["COURSE_LIVE"] = "0"
        table.add("throughput", trial.throughput)
        for name in trial.precisions:
            table.add(f"fit in {name}", lambda name=name: trial.precision(name))
        table.add("features", trial.features)
        table.add("memory that runs out", trial.memory)
        table.add("a checkpoint taken up on the CPU", trial.resume)
        table.add("several GPUs", trial.several)
        paths = notebooks(options.notebooks)
        tell = lay_out_models(Path(folder), paths, small=options.small)
        with ThreadPoolExecutor(options.jobs) as pool:
            list(
                pool.map(
                    lambda path: table.add(path.stem, lambda: run_notebook(path, tell, small=options.small)), paths
                )
            )
    where = torch.cuda.get_device_name() if trial.device == "cuda" else "CPU"
    setting = f"{where}, torch {torch.__version__}, {options.jobs} notebooks at once"
    return Figure(float(table.failed), "parts failed", "0", (setting, *table.rows))


class Table:
    """What came of each part, a row each, printed as soon as it is known."""

    def __init__(self) -> None:
        self.rows, self.failed = ["| what | seconds | result |", "|---|---|---|"], 0

    def add(self, name: str, work: Callable[[], str]) -> None:
        """Do a part; one that fails is a row too."""
        started = time.perf_counter()
        try:
            result = work()
        except (CourseError, RuntimeError, ValueError, OSError) as error:
            result, self.failed = f"FAILED: {type(error).__name__}: {str(error).splitlines()[0]}", self.failed + 1
            print(f"{name}: {error}")
        self.rows.append(f"| {name} | {time.perf_counter() - started:.0f} | {result} |")
        print(self.rows[-1], flush=True)


class Trial:
    """What is tried with one network: each method does it and says in a line what came of it."""

    def __init__(self, device: str, model: str, size: int, batch_size: int) -> None:
        self.device, self.model, self.size, self.batch_size = device, model, size, batch_size
        self.precisions = ("float32", "bfloat16", "float16") if device == "cuda" else ("float32", "bfloat16")

    def network(self) -> torch.nn.Module:
        return load_backbone(self.model, weights=None, num_classes=37)

    def pets(self, split: str = "train") -> Pets:
        return Pets(split, size=self.size, transform=image_transform(self.network(), size=self.size))

    def throughput(self) -> str:
        small = ("--device", "cpu", "--model", self.model, "--size", "32", "--batch-size", "4", "--steps", "1")
        figure = gpu_throughput.measure(*(() if self.device == "cuda" else (*small, "--compile", "no")))
        assert figure is not None
        return "<br>".join([*figure.notes[1:], f"worst in memory: {figure.value:.3f} (bar {figure.bar})"])

    def precision(self, name: str) -> str:
        batches = make_loader(self.pets(), self.batch_size, shuffle=True)
        history = fit(
            self.network(), batches, epochs=2, lr=1e-3, device=self.device, precision=name, verbose=False, clip_norm=1.0
        )
        memory = f", {history.last['memory_mib']:.0f} MiB" if "memory_mib" in history.last else ""
        before, after = history["train_loss"]
        if not after < before:
            raise ValueError(f"the loss went from {before} to {after}")
        rate = len(self.pets()) / history.last["seconds"]
        return f"loss {before:.2f} to {after:.2f}, {rate:.0f} pictures/s{memory}"

    def features(self) -> str:
        found = extract_features(self.network().to(self.device), self.pets(), batch_size=self.batch_size, cache=False)
        return f"{len(found) / found.seconds:.0f} pictures/s"

    def memory(self) -> str:
        """Everything again with almost all of the GPU's memory taken: smaller pieces must be found, and do."""
        if self.device != "cuda":
            return "needs a GPU"
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info()[0] - LEFT_GIB * 2**30
        taken = torch.empty(max(free, 0), dtype=torch.uint8, device=self.device)
        try:
            data, model = Subset(self.pets(), range(1024)), self.network()
            batches = make_loader(data, 512)
            trained = fit(model, batches, epochs=1, device=self.device, verbose=False).last
            seen = evaluate(model, batches, device=self.device)
            found = extract_features(model, data, batch_size=1024, cache=False)
        finally:
            del taken
            torch.cuda.empty_cache()
        if not (math.isfinite(trained["train_loss"]) and seen["samples"] == len(found) == 1024):
            raise ValueError(f"{trained}, {seen}, {found}")
        return f"{free / 2**30:.0f} GiB taken: trained, evaluated and extracted in smaller pieces"

    def resume(self) -> str:
        data = Subset(self.pets(), range(self.batch_size))
        with tempfile.TemporaryDirectory() as folder:
            for device, epochs in ((self.device, 1), ("cpu", 2)):
                batches = make_loader(data, self.batch_size // 2)
                history = fit(
                    self.network(), batches, epochs=epochs, device=device, checkpoint=f"{folder}/run", verbose=False
                )
        return f"epoch 1 on {self.device}, epoch {len(history)} on the CPU"

    def several(self) -> str:
        count = torch.cuda.device_count()
        if count < 2:
            return f"{count} here"
        os.environ["DDP_EQUAL_DEVICE"] = "auto"
        figure = ddp_equal.measure("2")
        return f"weights of two against one: {figure.value:.1e} (bar {figure.bar})"


def lay_out_models(folder: Path, paths: list[Path], *, small: bool) -> str:
    """Stand-ins for what else these notebooks would download, and the code that tells a kernel of them."""
    needed = {name for path in paths for name in full_profile.needs(path.name[:2])}
    return full_profile.lay_out(
        folder, sorted(needed - set(_stand_ins.LAID_OUT)), standin_models.SIZE if small else 224
    )


def run_notebook(path: Path, tell: str, *, small: bool = False) -> str:
    """Run a notebook in the full profile with stand-ins; which of its claims hold is of no interest then."""
    nb = full_profile.in_full_profile(authoring.read(path), tell, full_profile.SMALLER if small else {})
    with tempfile.TemporaryDirectory() as home:
        variables = authoring.environment(Path(home), strict=False) | {"COURSE_DATA": os.environ["COURSE_DATA"]}
        authoring.run(nb, path.parent, label=path.name, variables=variables)
    return f"{sum(cell.cell_type == 'code' for cell in nb.cells)} cells ran in the full profile"


def notebooks(names: list[str] | None) -> list[Path]:
    """The notebooks of these names, or all of them."""
    return [path for path in sorted((ROOT / "solutions").glob("*.ipynb")) if names is None or path.stem in names]


def _options(arguments: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks gpu")
    parser.add_argument("--notebooks", nargs="*", metavar="NAME", help="only these, or none; all without this option")
    parser.add_argument("--jobs", type=int, default=1, help="notebooks at once")
    parser.add_argument("--small", action="store_true", help="try the code on a CPU")
    return parser.parse_args(arguments)
