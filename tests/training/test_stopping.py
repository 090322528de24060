"""Interrupted, a training leaves one line, a model that works, and the epochs so far."""

import pytest
import torch
from torch import nn

from course.errors import Stopped, TrainingStopped
from course.training.experiments import compare
from course.training.features import extract_features
from course.training.loop import fit
from tests.live_notebook import live_kernel

X, Y = torch.randn(8, 4), torch.arange(8) % 2
BATCHES = [(X, Y)] * 3


class Interrupts:
    """Batches, with an interrupt after the first of one epoch."""

    def __init__(self, epoch):
        self.epoch, self.epochs = epoch, 0

    def __iter__(self):
        self.epochs += 1
        yield BATCHES[0]
        if self.epochs == self.epoch:
            raise KeyboardInterrupt
        yield from BATCHES[1:]

    def __len__(self):
        return len(BATCHES)


def test_an_interrupted_training_says_where_it_stopped_and_keeps_history_and_model():
    model = nn.Linear(4, 2)
    with pytest.raises(TrainingStopped) as stopped:
        fit(model, Interrupts(3), epochs=5, verbose=False)
    assert "stopped after epoch 2 of 5; the model keeps the weights it has now" in str(stopped.value)
    assert [row["epoch"] for row in stopped.value.history] == [1, 2]
    assert not model.training
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert len(fit(model, BATCHES, epochs=1, verbose=False)) == 1


def test_in_the_first_epoch_none_is_said_to_be_done():
    with pytest.raises(TrainingStopped, match="stopped in epoch 1 of 5; "):
        fit(nn.Linear(4, 2), Interrupts(1), epochs=5, verbose=False)


def test_with_a_checkpoint_the_same_call_resumes_as_the_message_says(tmp_path):
    path = tmp_path / "run.pt"
    with pytest.raises(TrainingStopped, match=f"run the cell again to continue after the last epoch kept in {path}"):
        fit(nn.Linear(4, 2), Interrupts(3), epochs=4, verbose=False, checkpoint=path)
    history = fit(nn.Linear(4, 2), BATCHES, epochs=4, verbose=False, checkpoint=path)
    assert history["epoch"] == [1, 2, 3, 4]


def test_a_comparison_says_that_it_begins_anew_also_where_a_training_inside_was_stopped():
    def run(setting, seed):
        return fit(nn.Linear(4, 2), Interrupts(setting), epochs=1, verbose=False).last["train_loss"]

    with pytest.raises(Stopped, match="the comparison was stopped; its runs so far are not kept: run") as stopped:
        compare(run, [2, 1], seeds=[0])
    assert not isinstance(stopped.value, TrainingStopped)


def test_features_that_were_stopped_are_not_cached_and_the_model_is_as_before(home):
    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            if i == 7 and self.stops:
                raise KeyboardInterrupt
            return X[i], 0

    pictures, model = Pictures(), nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).train()
    pictures.fingerprint, pictures.stops = "eight", True
    with pytest.raises(Stopped, match="computing the features was stopped; nothing is kept"):
        extract_features(model, pictures, batch_size=2)
    assert model.training
    pictures.stops = False
    assert not extract_features(model, pictures, batch_size=2).from_cache


TRAINS = """
import time, torch
from torch import nn
from course.training.loop import fit
class Slow(nn.Linear):
    def forward(self, x):
        print("step")
        time.sleep(60)
        return super().forward(x)
model = Slow(4, 2)
fit(model, [(torch.randn(8, 4), torch.zeros(8, dtype=torch.long))], epochs=3, verbose=False)
print("a later line")"""


def test_in_a_notebook_an_interrupt_is_one_line_no_later_line_runs_and_the_next_cell_does():
    with live_kernel() as page:
        received = page.run(TRAINS, interrupt_at="step")
        (error,) = [message for message in received if message["type"] == "error"]
        assert error["ename"] == "TrainingStopped"
        assert error["traceback"] == [error["evalue"]] and error["evalue"].startswith(
            "training stopped in epoch 1 of 3; "
        )
        assert not any("a later line" in message.get("text", "") for message in received)
        after = page.run("import sys\nprint(model.training, len(sys.last_value.history))")
        assert [message["text"] for message in after if message["type"] == "stream"] == ["False 0\n"]
