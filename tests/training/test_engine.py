import functools
import os
import subprocess
import sys
import threading

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from course.errors import TrainingError
from course.models.freezing import freeze
from course.training.checkpoints import read_checkpoint
from course.training.engine import Engine
from course.training.history import History
from course.training.loop import evaluate, fit
from course.training.memory import take_peak_memory
from tests.benchmarks import ddp_equal
from tests.benchmarks.ddp_equal import CASES, differences, network, numbers
from tests.conftest import ROOT, needs_program

VARIABLES = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
# Of several processes accelerate starts those for GPUs only; that they work on the CPU is the engine's choice.
ACCELERATE = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"]


def python(*arguments):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=VARIABLES, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What two processes make of every case."""
    return ddp_equal.run_shared(2, tmp_path_factory.mktemp("shared"))


@pytest.mark.parametrize("name", CASES)
def test_two_processes_do_what_one_does_with_twice_the_batch(name, shared):
    weights, losses, same = differences(CASES[name](1), shared[name])
    assert weights < 1e-6 and losses < 1e-6 and same


TOGETHER = """
import functools
import sys
from pathlib import Path
import torch
from torch.utils.data import DataLoader, IterableDataset
from course.training.engine import Engine
from course.errors import TrainingError
from course.models import freeze, unfreeze
from course.training.loop import evaluate, fit
from course.training.memory import take_peak_memory
from tests.benchmarks.ddp_equal import network, numbers

torch.set_num_threads(1)
folder, engine = Path(sys.argv[1]), Engine("cpu")

def everywhere(model):
    "The weights and buffers of each process."
    return engine.processes.gather({name: tensor.tolist() for name, tensor in model.state_dict().items()})

def shuffled(path, epochs, seed):
    torch.manual_seed(seed)
    batches, model = numbers(53, processes=2, shuffle=True), network()
    torch.manual_seed(seed)
    fit(model, batches, epochs=epochs, device="cpu", checkpoint=path, verbose=False)
    return everywhere(model)

whole = shuffled(folder / "whole", 3, seed=1)
shuffled(folder / "cut", 1, seed=1)
assert shuffled(folder / "cut", 3, seed=2) == whole, "a resumed run took another order"

model = network(normalised=True)
fit(model, numbers(53, processes=2), numbers(19, processes=2), epochs=1, device=engine)
first, second = everywhere(model)
assert first == second, "BatchNorm's statistics differ between processes"

model = network()
freeze(model[0])
fit(model, numbers(53, processes=2), epochs=1, device=engine, verbose=False)
unfreeze(model[0])
fit(model, numbers(53, processes=2), epochs=1, device=engine, verbose=False)
first, second = everywhere(model)
assert first == second, "what was unfrozen learns in each process by itself"

translate, torch.compile = torch.compile, functools.partial(torch.compile, backend="eager")
plain, compiled = network(), network()
for model, options in ((plain, {}), (compiled, {"compile": True})):
    fit(model, numbers(53, processes=2), epochs=1, device="cpu", verbose=False, accumulate=2, **options)
torch.compile = translate
first, second = everywhere(compiled)
assert first == second and first == everywhere(plain)[0], "compiled, processes learn something else"

class Stream(IterableDataset):
    def __iter__(self):
        return iter(numbers(8, processes=1).dataset)

for wrong in (DataLoader(Stream(), batch_size=2), [(torch.zeros(2, 6), torch.zeros(2, dtype=torch.int64))]):
    try:
        evaluate(network(), wrong, device=engine)
        raise AssertionError("accepted")
    except TrainingError as error:
        assert "several processes need a DataLoader" in str(error)
print("whole\\n", end="", flush=True)  # one write: two processes share the line
"""


@pytest.mark.slow
def test_processes_agree_about_order_statistics_and_what_learns(tmp_path):
    (tmp_path / "together.py").write_text(TOGETHER)
    printed = python(*TORCHRUN, tmp_path / "together.py", tmp_path).splitlines()
    # Of the two processes, the main one alone reports its epochs, and that it goes on from a checkpoint.
    assert [line.split(":")[0].split(",")[0] for line in sorted(printed)] == [
        "epoch 1", "resuming after epoch 1", "whole", "whole",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "together.py", "whole"]


LAUNCHED = """
import sys
import torch
from tests.benchmarks.ddp_equal import uneven_last_batches

def train():
    import os
    result = uneven_last_batches(processes=2)
    if os.environ["RANK"] == "0":
        torch.save(result, sys.argv[1])

if len(sys.argv) > 2:
    from accelerate import notebook_launcher
    notebook_launcher(train, num_processes=2)
else:
    train()
"""


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["accelerate launch", "notebook_launcher"])
def test_accelerates_launchers_do_the_same(launcher, tmp_path):
    (tmp_path / "launched.py").write_text(LAUNCHED)
    script = (tmp_path / "launched.py", tmp_path / "result")
    python(*([*ACCELERATE, *script] if launcher == "accelerate launch" else [*script, "from here"]))
    weights, losses, same = differences(
        ddp_equal.uneven_last_batches(1), torch.load(tmp_path / "result", weights_only=True)
    )
    assert weights < 1e-6 and losses < 1e-6 and same


def same_weights(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def train(model, **options):
    options = {"device": "cpu", **options}
    return fit(model, numbers(53, processes=1), numbers(19, processes=1), epochs=2, verbose=False, **options)


def test_prefetching_changes_nothing_but_the_thread_that_reads():
    threads = set()

    class Watched(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, index):
            threads.add(threading.current_thread().name)
            return torch.full((6,), index / 40), index % 3

    plain, model, engine = network(), network(), Engine("cpu")
    engine.prefetches = True
    expected = fit(plain, DataLoader(Watched(), batch_size=8), epochs=2, device="cpu", verbose=False)
    assert threads == {threading.main_thread().name}
    threads.clear()
    found = fit(model, DataLoader(Watched(), batch_size=8), epochs=2, device=engine, verbose=False)
    assert all(name.startswith("prefetch") for name in threads)
    assert same_weights(plain, model) and found["train_loss"] == expected["train_loss"]


def test_an_error_of_the_reading_thread_arrives_and_the_thread_ends():
    class Broken(torch.utils.data.Dataset):
        def __len__(self):
            return 40

        def __getitem__(self, index):
            if index == 20:
                raise KeyError("no picture 20")
            return torch.zeros(6), 0

    engine = Engine("cpu")
    engine.prefetches = True
    with pytest.raises(KeyError, match="no picture 20"):
        evaluate(network(), DataLoader(Broken(), batch_size=8), device=engine)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch") and thread.is_alive()]


@pytest.mark.slow
def test_a_compiled_run_has_the_same_losses_and_goes_on_uncompiled(tmp_path):
    needs_program("g++")
    plain, compiled, resumed = network(), network(), network()
    expected, found = train(plain), train(compiled, compile=True, checkpoint=tmp_path / "run")
    for column in ("train_loss", "val_loss"):
        assert found[column] == pytest.approx(expected[column], abs=1e-5)
    assert set(read_checkpoint(tmp_path / "run")["model"]) == set(plain.state_dict())
    assert train(resumed, checkpoint=tmp_path / "run").rows == found.rows
    assert same_weights(compiled, resumed)


def test_a_model_compiled_by_the_learner_is_kept_under_its_own_names(tmp_path):
    model, resumed = network(), network()
    found = train(torch.compile(model, backend="eager"), checkpoint=tmp_path / "run")
    assert train(resumed, checkpoint=tmp_path / "run").rows == found.rows
    assert same_weights(model, resumed)


def test_a_model_that_cannot_be_compiled_is_an_error_with_advice(monkeypatch):
    def no_compiler(graph, inputs):
        raise FileNotFoundError("no working C++ compiler")

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=no_compiler))
    with pytest.raises(TrainingError, match=r"no working C\+\+ compiler.*without compile=True"):
        train(network(), compile=True)


def test_training_needs_no_float64_which_an_apple_gpu_lacks(tmp_path):
    class NoDouble(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            result = function(*arguments, **(options or {}))
            outputs = result if isinstance(result, tuple | list) else [result]
            assert not any(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in outputs), function
            return result

    with NoDouble():
        train(network(), clip_norm=0.1, accumulate=2, schedule="cosine", patience=1, checkpoint=tmp_path / "run")


def test_a_batch_weighs_as_much_as_it_has_labels_that_count():
    torch.manual_seed(0)
    model = nn.Conv2d(3, 2, 1)
    loss_fn = nn.CrossEntropyLoss(ignore_index=255)
    x = torch.randn(9, 3, 4, 4)
    labels = (x[:, 0] > 0).long()
    labels[0], labels[5, :3] = 255, 255
    whole, ragged, single = (
        evaluate(model, DataLoader(TensorDataset(x, labels), batch_size=size), loss_fn=loss_fn, device="cpu")
        for size in (9, 4, 1)
    )
    counted = labels != 255
    with torch.no_grad():
        outputs = model(x)
        assert whole["loss"] == pytest.approx(loss_fn(outputs, labels).item(), abs=1e-6)
    assert whole["accuracy"] == ((outputs.argmax(1) == labels) & counted).sum().item() / counted.sum().item()
    for other in (ragged, single):
        assert other["loss"] == pytest.approx(whole["loss"], abs=1e-6) and other["accuracy"] == whole["accuracy"]
        assert other["samples"] == 9


def test_memory_has_a_column_where_it_was_counted():
    assert take_peak_memory(torch.device("cpu")) == {}
    row = {"epoch": 1, "lr": 0.1, "train_loss": 1.0, "memory_mib": 2345.6, "seconds": 1.0}
    assert "memory mib" in repr(History([row])) and "2346" in repr(History([row]))
    assert "2346" in History([row])._repr_html_() and "2346" not in History([row]).line()


def test_frozen_models_are_evaluated_without_a_wrapper():
    assert evaluate(freeze(network()), numbers(19, processes=1), device="cpu")["samples"] == 19
