import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course.errors import BadLabels, EmptyData, NonFiniteLoss, OutOfMemory, TrainingError, UnknownName
from course.models.freezing import freeze
from course.notebook import progress_bars
from course.training.history import History
from course.training.loop import cosine, evaluate, fit, train_one_epoch


def data(samples=40, *, seed=0):
    x = torch.randn(samples, 6, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def loader(samples=40, batch_size=8, **options):
    return DataLoader(data(samples), batch_size=batch_size, **options)


def network(seed=0, *, middle=nn.ReLU):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), middle(), nn.Linear(16, 3))


def train(model, batches, val=None, *, epochs=1, **options):
    return fit(model, batches, val, epochs=epochs, device="cpu", verbose=False, **options)


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def same_weights(a, b):
    return all(torch.allclose(p, q, atol=1e-6) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_fit_does_exactly_what_the_bare_loop_does():
    ours, bare = network(), network()
    train(ours, loader(), epochs=2, lr=1e-2)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=1e-2)
    for _ in range(2):
        for x, y in loader():
            optimizer.zero_grad()
            F.cross_entropy(bare(x), y).backward()
            optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), bare.parameters(), strict=True))


@pytest.mark.parametrize("live, shown", [("1", True), ("0", False)])
def test_a_silent_fit_has_one_bar_over_its_epochs_for_whoever_watches(monkeypatch, capfd, live, shown):
    monkeypatch.setenv("COURSE_LIVE", live)
    monkeypatch.setattr(progress_bars, "DELAY_S", 0.0)
    assert len(train(network(), loader(), epochs=3)) == 3
    assert ("epochs" in capfd.readouterr().err) is shown


def test_fit_learns_and_leaves_the_model_in_eval_mode():
    model = network()
    history = train(model, loader(200), loader(200), epochs=15, lr=1e-2)
    assert history.last["val_accuracy"] > 0.9 > history.rows[0]["train_accuracy"]
    assert not model.training


def test_means_are_over_samples_not_over_batches():
    model = network()
    whole, ragged, single = (evaluate(model, loader(121, batch_size=size), device="cpu") for size in (121, 120, 1))
    for other in (ragged, single):
        assert other["loss"] == pytest.approx(whole["loss"], abs=1e-6)
        assert other["accuracy"] == whole["accuracy"] and other["samples"] == 121


def test_evaluate_runs_in_eval_mode_and_restores_every_module():
    model = network(middle=lambda: nn.Dropout(0.9))
    model.train()
    model[0].eval()
    assert evaluate(model, loader(), device="cpu") == evaluate(model, loader(), device="cpu")
    assert [module.training for module in model] == [False, True, True]


def test_frozen_parts_stay_as_they_are_and_in_eval_mode():
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
    freeze(model[:2])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(model, loader())
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"2.weight", "2.bias"}


@pytest.mark.parametrize("samples", [32, 29])
def test_accumulated_batches_equal_one_large_batch_with_a_ragged_last_group(samples):
    small, large = network(), network()
    train(small, loader(samples, batch_size=4), optimizer=sgd(small), accumulate=4, epochs=2)
    train(large, loader(samples, batch_size=16), optimizer=sgd(large), epochs=2)
    assert same_weights(small, large)


def test_gradients_are_clipped_over_the_whole_step():
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    train(model, loader(32, batch_size=8), optimizer=optimizer, clip_norm=0.01, accumulate=4)
    moved = math.sqrt(
        sum(float((p - q).detach().square().sum()) for p, q in zip(model.parameters(), before, strict=True))
    )
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_a_schedule_moves_after_every_step():
    model, seen = network(), []

    def factor(step):
        seen.append(step)
        return 0.5**step

    optimizer = sgd(model, lr=1.0)
    train(model, loader(40, batch_size=8), optimizer=optimizer, schedule=factor, accumulate=2)
    assert seen == [0, 1, 2, 3]
    assert optimizer.param_groups[0]["lr"] == 0.125


def test_cosine_warms_up_and_ends_at_zero():
    factor = cosine(100, warmup=10)
    rates = [factor(step) for step in range(101)]
    assert rates[:11] == sorted(rates[:11]) and rates[0] > 0 and rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[55] == pytest.approx(0.5) and rates[100] == 0


def test_a_first_step_that_float16_leaves_out_moves_the_schedule_and_warns_of_nothing():
    class Counting(torch.optim.SGD):
        steps = 0

        def step(self, closure=None):
            self.steps += 1
            return super().step(closure)

    x, y = data(24).tensors
    model, steep = network(), lambda outputs, labels: 1e4 * nn.functional.cross_entropy(outputs, labels)
    optimizer = Counting(model.parameters(), lr=1e-9)
    options = {"optimizer": optimizer, "loss_fn": steep, "schedule": lambda step: 1 / (1 + step)}
    train(model, DataLoader(TensorDataset(x, y), batch_size=8), precision="float16", **options)
    assert optimizer.steps < 3, "the first gradients, times 65,536, are to overflow"
    assert optimizer.param_groups[0]["lr"] == 1e-9 / 4


def test_torch_schedulers_are_taken_as_they_are():
    model = network()
    optimizer = sgd(model, lr=1.0)
    train(model, loader(40), optimizer=optimizer, schedule=torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.1))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_early_stopping_brings_the_best_weights_back():
    model = network()
    history = train(
        model, loader(), loader(), optimizer=sgd(model), schedule=lambda step: -0.1 * (step >= 10), epochs=9, patience=2
    )
    assert len(history) < 9 and "restored the weights" in history.note
    assert history.last["val_loss"] > history.best["val_loss"]
    assert evaluate(model, loader(), device="cpu")["loss"] == pytest.approx(history.best["val_loss"])


@pytest.mark.parametrize(("at", "batch_size", "batch"), [(17, 8, 3), (72, 1, 73)])
def test_a_loss_that_is_not_finite_names_epoch_batch_and_rate(at, batch_size, batch):
    samples = data(80)
    samples.tensors[0][at] = math.nan
    model = network()
    with pytest.raises(NonFiniteLoss, match=rf"epoch 1, batch {batch}, at learning rate 0\.1; .*lr=0\.01"):
        train(model, DataLoader(samples, batch_size=batch_size), optimizer=sgd(model))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


class Small(nn.Module):
    """A layer on a device with room for `room` samples."""

    def __init__(self, room):
        super().__init__()
        self.room, self.sizes = room, []

    def forward(self, x):
        if len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.sizes.append(len(x))
        return x


def test_out_of_memory_halves_what_runs_at_once_and_keeps_the_step(capsys):
    plain, model = network(), network()
    layer = Small(3)
    train(plain, loader(20), loader(20), optimizer=sgd(plain))
    history = train(nn.Sequential(layer, model), loader(20), loader(20), optimizer=sgd(model))
    assert same_weights(plain, model)
    assert max(layer.sizes) == 2 and history.last["train_loss"] > 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and "continuing with 2 at a time" in said[1]


def test_one_sample_that_does_not_fit_is_an_error():
    model = nn.Sequential(Small(0), network())
    with pytest.raises(OutOfMemory, match="1 sample does not fit"):
        train(model, loader())


def test_other_runtime_errors_are_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(nn.Sequential(nn.Linear(5, 3)), loader())


@pytest.mark.parametrize("options", [{"samples": 0}, {"samples": 5, "drop_last": True}])
def test_a_loader_without_batches_is_an_error(options):
    with pytest.raises(EmptyData, match="no batch at all"):
        train(network(), loader(**options))
    with pytest.raises(EmptyData):
        evaluate(network(), loader(**options), device="cpu")


def test_a_batch_without_samples_counts_for_nothing():
    nothing = (torch.zeros(0, 6), torch.zeros(0, dtype=torch.int64))
    model = network()
    assert evaluate(model, [nothing, *loader()], device="cpu") == evaluate(model, loader(), device="cpu")
    with pytest.raises(EmptyData):
        evaluate(model, [nothing], device="cpu")


def test_labels_out_of_range_are_named_with_the_number_of_outputs():
    samples = data()
    samples.tensors[1][:2] = torch.tensor([7, -1])
    with pytest.raises(
        BadLabels, match=r"labels -1, 7 are outside 0 to 2: the model has 3 outputs.*replace_head\(model, 8\)"
    ):
        train(network(), DataLoader(samples, batch_size=8))


def test_labels_that_the_loss_ignores_are_allowed():
    samples = data(8)
    samples.tensors[1][0] = -100
    assert math.isfinite(train(network(), DataLoader(samples, batch_size=8)).last["train_loss"])


def test_labels_that_are_no_classes_have_no_accuracy():
    x = data().tensors[0]
    history = train(nn.Linear(6, 2), DataLoader(TensorDataset(x, x[:, :2])), loss_fn=F.mse_loss)
    assert set(history.last) == {"epoch", "lr", "train_loss", "seconds"}


def test_bfloat16_trains_and_keeps_float32_weights():
    model = network()
    assert train(model, loader(), precision="bfloat16", epochs=3, lr=1e-2).last["train_loss"] < 1.1
    assert model[0].weight.dtype == torch.float32


def test_pictures_take_the_layout_of_the_model():
    class Layout(nn.Module):
        def forward(self, x):
            self.channels_last = x.is_contiguous(memory_format=torch.channels_last)
            return x.mean((2, 3))

    pictures = DataLoader(TensorDataset(torch.rand(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64)))
    for layout, expected in ((torch.channels_last, True), (torch.contiguous_format, False)):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), Layout()).to(memory_format=layout)
        train(model, pictures)
        assert model[1].channels_last is expected


def test_settings_that_cannot_work_are_refused_with_advice():
    model = network()
    for options, message in [
        ({"patience": 2}, "needs a val_loader"),
        ({"accumulate": 0}, "accumulate at 1"),
        ({"schedule": "cosin"}, 'pass "cosine"'),
        ({"optimizer": sgd(network())}, "none of the model's trainable parameters"),
    ]:
        with pytest.raises(TrainingError, match=message):
            train(model, loader(), **options)
    with pytest.raises(TrainingError, match="every parameter of the model is frozen"):
        train(freeze(network()), loader())
    with pytest.raises(UnknownName, match="bfloat16"):
        train(model, loader(), precision="bfloat")


class Stream(IterableDataset):
    def __iter__(self):
        return iter(data())


def test_a_loader_without_a_length_trains_but_has_no_cosine():
    assert len(train(network(), DataLoader(Stream(), batch_size=8))) == 1
    with pytest.raises(TrainingError, match="needs a loader with a length"):
        train(network(), DataLoader(Stream(), batch_size=8), schedule="cosine")


def test_one_quiet_line_an_epoch_says_the_same_in_every_run(capsys):
    lines = []
    for _ in range(2):
        fit(network(), loader(), loader(), epochs=2, device="cpu")
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    assert [line.split(":")[0] for line in lines[0].splitlines()] == ["epoch 1", "epoch 2"]


def test_the_pieces_work_on_their_own():
    model = network()
    first = train_one_epoch(model, loader(), sgd(model), device="cpu")
    second = train_one_epoch(model, loader(), sgd(model), device="cpu")
    assert second["loss"] < first["loss"] and second["samples"] == 40


def test_history_shows_itself_and_its_rows_are_plain_data():
    history = train(network(), loader(), loader(), epochs=3)
    again = History(json.loads(json.dumps(history.rows)), history.note)
    assert repr(again) == repr(history) and len(repr(history).splitlines()) == 4
    assert history["val_loss"] == [row["val_loss"] for row in history]
    shown = history._repr_html_()
    assert shown.count("<svg") == 2 and shown.count("<tr") == 4 and "NaN" not in shown
    History([{"epoch": epoch, "lr": 0.1, "train_loss": math.nan} for epoch in (1, 2)])._repr_html_()
