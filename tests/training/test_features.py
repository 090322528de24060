import errno
import os
import subprocess
import sys

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset, Subset, TensorDataset

from course.errors import DataError, EmptyData, HeadNotFound, OutOfMemory
from course.models.backbones import load_backbone
from course.models.heads import find_head, replace_head
from course.training.features import extract_features


class Net(nn.Module):
    """A convolution, a normalisation with statistics of its own, dropout and a head: 3 x S x S -> 2."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.norm, self.dropout = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Dropout(0.5)
        self.head, self.calls = nn.Linear(6, 2), 0
        self.power = 1

    def forward(self, x):
        self.calls += len(x)
        x = self.norm(self.conv(x)).relu().mean((2, 3)) ** self.power  # (B, 6, S, S) -> (B, 6)
        return self.head(self.dropout(x))


class Shade:
    """A transform with a stable repr."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def __repr__(self):
        return f"Shade({self.factor})"


class Pictures(Dataset):
    """`count` random pictures that know their fingerprint, and how often one was asked for."""

    def __init__(self, count=20, seed=0, transform=None, fingerprint=None):
        self.x = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        self.transform, self.seed, self.asked = transform, seed, 0
        self.fingerprint = fingerprint or f"pictures {count} {seed}"

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.asked += 1
        x = self.x[index]
        return (self.transform(x) if self.transform else x), index % 3


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder that features are kept in, in a fresh COURSE_HOME."""
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    return tmp_path / "cache" / "features"


def head_inputs(model, x):
    seen = []
    handle = find_head(model).module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.eval()(x)
    handle.remove()
    return seen[0]


def test_cached_features_are_the_live_ones_in_the_order_of_the_data():
    model, pictures = Net(), Pictures()
    found = extract_features(model, pictures, batch_size=7)
    torch.testing.assert_close(found.x, head_inputs(model, pictures.x))
    assert found.y.tolist() == [index % 3 for index in range(20)]
    assert found.y.dtype == torch.int64
    assert not found.from_cache
    assert found.seconds > 0


def test_the_second_run_reads_them_back_and_runs_the_backbone_on_two_samples_only():
    model, pictures = Net(), Pictures()
    first = extract_features(model, pictures)
    model.calls = pictures.asked = 0
    again = extract_features(model, pictures)
    assert again.from_cache
    assert torch.equal(again.x, first.x)
    assert torch.equal(again.y, first.y)
    assert model.calls == pictures.asked == 2


def test_a_head_can_be_trained_on_them():
    found = extract_features(Net(), Pictures())
    x, y = found.dataset()[:]
    head = nn.Linear(6, 3)
    nn.functional.cross_entropy(head(x), y).backward()
    assert head.weight.grad.abs().sum() > 0
    assert len(found) == len(found.dataset()) == 20


def test_mode_and_gradient_flags_come_back_as_they_were():
    model = Net().train()
    model.norm.eval()
    model.conv.weight.requires_grad = False
    before = model.norm.running_mean.clone()
    extract_features(model, Pictures())
    assert model.training
    assert model.dropout.training
    assert not model.norm.training
    assert [parameter.requires_grad for parameter in model.parameters()] == [False, *[True] * 5]
    assert torch.equal(model.norm.running_mean, before)
    assert not model.head._forward_pre_hooks


def test_the_mode_comes_back_after_an_error_too():
    model = Net().train()
    with pytest.raises(DataError):
        extract_features(model, [(torch.zeros(3, 8, 8), 0), (torch.zeros(3, 9, 9), 0)])
    assert model.training
    assert not model.head._forward_pre_hooks


def nudge_weight(model):
    with torch.no_grad():
        model.conv.weight[0, 0, 0, 0] += 1e-3


def nudge_buffer(model):
    model.norm.running_mean[0] += 1e-3


def change_stride(model):
    model.conv.stride = (2, 2)


def change_forward(model):
    model.power = 2  # what no weight and no layer tells: only the samples computed anew do


@pytest.mark.parametrize("change", [nudge_weight, nudge_buffer, change_stride, change_forward])
def test_another_backbone_is_computed_anew(change):
    model, pictures = Net(), Pictures()
    extract_features(model, pictures)
    change(model)
    found = extract_features(model, pictures)
    assert not found.from_cache
    torch.testing.assert_close(found.x, head_inputs(model, pictures.x))


def test_another_head_is_not_another_backbone():
    model, pictures = Net(), Pictures()
    extract_features(model, pictures)
    assert extract_features(replace_head(model, 7), pictures).from_cache


@pytest.mark.parametrize(
    "other",
    [
        lambda: Pictures(seed=1),
        lambda: Pictures(count=19),
        lambda: Pictures(transform=Shade(0.5)),
        lambda: Pictures(fingerprint="another version"),
        lambda: Subset(Pictures(), range(10)),
        lambda: Subset(Pictures(), range(10, 20)),
    ],
)
def test_other_data_or_another_transform_is_computed_anew(other):
    model = Net()
    extract_features(model, Pictures())
    found = extract_features(model, other())
    assert not found.from_cache
    assert extract_features(model, other()).from_cache


def test_two_transforms_without_a_telling_repr_are_told_apart_by_what_they_do():
    model = Net()
    for factor in (1.0, 0.5):
        pictures = Pictures(transform=lambda x, factor=factor: x * factor)
        assert not extract_features(model, pictures).from_cache
        assert extract_features(model, pictures).from_cache


def test_data_that_only_looks_the_same_is_found_out_by_its_first_samples():
    model = Net()
    extract_features(model, Pictures(seed=0, fingerprint="same"))
    impostor = Pictures(seed=1, fingerprint="same")
    found = extract_features(model, impostor)
    assert not found.from_cache
    torch.testing.assert_close(found.x, head_inputs(model, impostor.x))


def test_data_without_a_fingerprint_is_told_apart_by_its_bytes():
    model, x, y = Net(), Pictures().x, torch.arange(20) % 2
    assert not extract_features(model, TensorDataset(x, y)).from_cache
    assert extract_features(model, TensorDataset(x.clone(), y)).from_cache
    assert not extract_features(model, TensorDataset(x, 1 - y)).from_cache
    x[15, 0, 0, 0] += 1
    assert not extract_features(model, TensorDataset(x, y)).from_cache


def test_random_transforms_are_named(capsys):
    class RandomShade(Shade):
        def __repr__(self):
            return "RandomShade()"

    extract_features(Net(), Pictures(transform=RandomShade(1)))
    assert "a single random version" in capsys.readouterr().out


def test_without_cache_nothing_is_read_or_written(folder):
    model, pictures = Net(), Pictures()
    assert not extract_features(model, pictures, cache=False).from_cache
    assert not folder.exists()
    extract_features(model, pictures)
    assert not extract_features(model, pictures, cache=False).from_cache


def flip_a_bit(content):
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: content[:-30], flip_a_bit, lambda content: b"x" * len(content)]
)
def test_a_damaged_file_is_computed_anew_and_mended(folder, damage):
    model, pictures = Net(), Pictures()
    first = extract_features(model, pictures)
    (file,) = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    again = extract_features(model, pictures)
    assert not again.from_cache
    assert torch.equal(again.x, first.x)
    assert extract_features(model, pictures).from_cache


def test_a_file_deleted_while_it_is_opened_is_computed_anew(folder, monkeypatch):
    model, pictures = Net(), Pictures()
    first = extract_features(model, pictures)
    from_file = torch.UntypedStorage.from_file  # where torch maps what safetensors has just opened

    def gone(name, *arguments, **options):
        os.unlink(name)
        return from_file(name, *arguments, **options)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", gone)
    again = extract_features(model, pictures)
    assert not again.from_cache
    assert torch.equal(again.x, first.x)


def test_a_full_disk_costs_one_line_and_leaves_no_half_file(folder, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    found = extract_features(Net(), Pictures())
    assert found.x.shape == (20, 6)
    assert list(folder.iterdir()) == []
    assert capsys.readouterr().out.splitlines() == [
        f"features not cached in {folder} (No space left on device); the next run computes them again"
    ]


def test_a_home_that_cannot_be_written_costs_one_line(folder, tmp_path, monkeypatch, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way of a folder, for root too")
    monkeypatch.setenv("COURSE_HOME", str(blocked))
    assert len(extract_features(Net(), Pictures())) == 20
    assert capsys.readouterr().out.count("features not cached") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_costs_one_line(folder, capsys):
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    assert len(extract_features(Net(), Pictures())) == 20
    assert capsys.readouterr().out.count("features not cached") == 1
    folder.chmod(0o700)


def test_two_processes_may_extract_the_same_features_at_once(folder):
    script = """if True:
        import torch
        from torch import nn
        from torch.utils.data import TensorDataset
        from course.training.features import extract_features
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(50, 40), nn.Linear(40, 2))
        data = TensorDataset(torch.randn(300, 50), torch.arange(300))
        for _ in range(30):
            found = extract_features(model, data)
            assert torch.allclose(found.x, model[0](data.tensors[0]), atol=1e-5)
            for file in __import__("pathlib").Path(FOLDER).glob("*.safetensors"):
                file.unlink(missing_ok=True)
    """.replace("FOLDER", repr(str(folder)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    assert not list(folder.glob("*.part"))


def test_squeezenets_features_are_the_mean_over_positions():
    torch.manual_seed(0)
    model = load_backbone("squeezenet1_1", weights=None)
    pictures = TensorDataset(torch.rand(3, 3, 40, 40), torch.arange(3))
    found = extract_features(model, pictures)
    assert found.x.shape == (3, 512)
    torch.testing.assert_close(found.x, head_inputs(model, pictures.tensors[0]).mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_the_backbones_features_do_not_depend_on_the_batch():
    model = load_backbone()
    x = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = extract_features(model, TensorDataset(x, torch.arange(5)), batch_size=2, cache=False)
    torch.testing.assert_close(found.x, head_inputs(model, x), rtol=1e-3, atol=1e-3)


def test_an_empty_data_set_is_refused():
    with pytest.raises(EmptyData, match="it has no features"):
        extract_features(Net(), Pictures(count=0))


def test_samples_that_cannot_be_batched_are_refused_with_the_way_out():
    picture = Image.new("RGB", (8, 8))
    for cache in (True, False):
        with pytest.raises(DataError, match=r"picture is a Image, not a tensor; .*transform=image_transform\(model\)"):
            extract_features(Net(), [(picture, 0)], cache=cache)
    with pytest.raises(DataError, match=r"different shapes .*\(3, 8, 8\), \(3, 9, 8\)"):
        extract_features(Net(), [(torch.zeros(3, 8, 8), 0), (torch.zeros(3, 9, 8), 1)])
    with pytest.raises(DataError, match="not a pair"):
        extract_features(Net(), [torch.zeros(3, 8, 8)] * 3)


def test_a_head_that_does_not_run_is_refused():
    model = Net()
    model.spare = nn.Linear(6, 2)
    with pytest.raises(HeadNotFound, match="'spare' was not called"):
        extract_features(model, Pictures())
    assert extract_features(model, Pictures(), head="head").x.shape == (20, 6)


def test_out_of_memory_halves_the_batch_and_says_so(capsys):
    class Small(Net):
        def forward(self, x):
            if len(x) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(x)

    model, pictures = Small(), Pictures()
    found = extract_features(model, pictures, batch_size=16)
    torch.testing.assert_close(found.x, head_inputs(Net(), pictures.x))
    assert found.y.tolist() == [index % 3 for index in range(20)]
    assert capsys.readouterr().out.splitlines() == [
        "out of memory with 16 samples at once; continuing with 8",
        "out of memory with 8 samples at once; continuing with 4",
    ]


def test_out_of_memory_after_the_first_batch_starts_over_in_smaller_ones():
    class Full(Net):
        def forward(self, x):
            if self.calls >= 16 and len(x) > 5:
                raise RuntimeError("MPS backend out of memory")  # not torch's own error: no class of its own
            return super().forward(x)

    pictures = Pictures(40)
    found = extract_features(Full(), pictures, batch_size=8, cache=False)
    torch.testing.assert_close(found.x, head_inputs(Net(), pictures.x))
    assert found.y.tolist() == [index % 3 for index in range(40)]


def test_a_single_sample_that_does_not_fit_is_an_error():
    class Tiny(Net):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match="not even one sample"):
        extract_features(Tiny(), Pictures())


def test_features_say_their_size_and_nothing_that_varies():
    assert repr(extract_features(Net(), Pictures())) == "Features(20 samples x 6 features)"
