"""A predictor says the same before and after it was saved, and refuses what is damaged or belongs to another model."""

import functools
import hashlib
import json
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import transforms as T

from course.applications.predictor import CONFIG, WEIGHTS, Predictor
from course.errors import BadPicture, DataError, ModelError, UnknownName, WeightsCorrupt, WeightsError, WeightsMissing
from course.models.backbones import image_transform, load_backbone
from tests.data.test_pictures import noise, save

TINY = "timm/test_efficientnet"
CLASSES = ("ant", "bee", "wasp")


@functools.cache
def tiny_state():
    torch.manual_seed(0)
    model = load_backbone(TINY, weights=None, num_classes=3)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.mul_(0.5)
    return model.state_dict()


def tiny():
    model = load_backbone(TINY, weights=None, num_classes=3)
    model.load_state_dict(tiny_state())
    return model


def a_predictor(size=48):
    model = tiny()
    return Predictor(model, CLASSES, image_transform(model, size=size))


def photos(count=7):
    """Of different sizes and shapes."""
    return [noise((40 + 9 * i, 90 - 7 * i), seed=i) for i in range(count)]


@pytest.fixture
def folder(tmp_path):
    return a_predictor().save(tmp_path / "insects")


def test_the_probabilities_are_those_of_the_model_in_the_pictures_order():
    model = tiny()
    transform = image_transform(model, size=48)
    predicted = Predictor(model, CLASSES, transform).predict(photos(), batch_size=3)
    with torch.no_grad():
        expected = model(torch.stack([transform(photo) for photo in photos()])).softmax(1)
    torch.testing.assert_close(predicted.probabilities, expected, atol=1e-5, rtol=1e-4)
    assert predicted.labels.tolist() == expected.argmax(1).tolist()
    assert predicted.names == [CLASSES[label] for label in predicted.labels]
    torch.testing.assert_close(predicted.confidence, expected.amax(1), atol=1e-5, rtol=1e-4)
    assert len(predicted) == 7


def test_paths_open_files_and_pictures_are_the_same(tmp_path):
    path = save(noise(), tmp_path / "a.png")
    with path.open("rb") as file:
        predicted = a_predictor().predict([path, str(path), file, noise(), noise().convert("RGBA")])
    assert predicted.probabilities.std(0).max() < 1e-6


def test_a_photo_held_upright_is_turned_whether_it_comes_as_a_path_or_opened(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(noise((60, 30)), tmp_path / "turned.jpg", exif=exif)
    with Image.open(path) as opened:
        predicted = a_predictor().predict([path, opened])
    assert torch.equal(predicted.probabilities[0], predicted.probabilities[1])


def test_pictures_are_read_a_batch_at_a_time_and_none_gives_none():
    read = []

    def lazily():
        for photo in photos():
            read.append(photo)
            yield photo

    predictor = a_predictor()
    runs = []
    predictor.model.register_forward_pre_hook(lambda _, inputs: runs.append((len(inputs[0]), len(read))))
    predictor.predict(lazily(), batch_size=3)
    assert runs == [(3, 3), (3, 6), (1, 7)]
    assert predictor.predict([]).probabilities.shape == (0, 3)


def test_predicting_leaves_the_model_in_the_mode_that_it_had():
    predictor = a_predictor()
    predictor.model.train()
    before = {name: value.clone() for name, value in predictor.model.state_dict().items()}
    predictor.predict(photos())
    assert predictor.model.training
    assert all(torch.equal(before[name], value) for name, value in predictor.model.state_dict().items())


@pytest.mark.parametrize(
    "pictures, error, words",
    [
        ("cat.jpg", DataError, "pass a list of one"),
        (noise(), DataError, "pass a list of one"),
        ([torch.zeros(3, 48, 48)], DataError, "not a Tensor"),
        (["no such file.jpg"], BadPicture, "there is no file"),
    ],
)
def test_what_is_no_list_of_pictures_is_refused(pictures, error, words):
    with pytest.raises(error, match=words):
        a_predictor().predict(pictures)


@pytest.mark.parametrize("classes", [["a", "b"], list("abcd"), ["a", "a", "b"], ["a", "", "b"], "abc", [1, 2, 3]])
def test_names_that_do_not_fit_the_outputs_are_refused(classes):
    with pytest.raises(ModelError, match=r"outputs and there are|class names are"):
        Predictor(tiny(), classes)


def test_a_model_of_unknown_origin_is_refused():
    with pytest.raises(ModelError, match="load_backbone"):
        Predictor(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), CLASSES)


@pytest.mark.parametrize("transform", [lambda picture: picture, T.Compose([T.Resize(8), T.ToTensor()]), T.ToTensor()])
def test_a_transform_that_is_not_plain_numbers_is_refused(transform):
    with pytest.raises(ModelError, match="image_transform"):
        Predictor(tiny(), CLASSES, transform)


def test_a_saved_predictor_says_the_same_to_the_bit(folder):
    loaded = Predictor.load(folder)
    assert loaded.classes == CLASSES
    assert loaded.preprocessing == a_predictor().preprocessing
    expected = a_predictor().predict(photos())
    assert torch.equal(loaded.predict(photos()).probabilities, expected.probabilities)


def test_it_says_the_same_in_a_fresh_process(folder, tmp_path):
    path = save(noise(), tmp_path / "a.png")
    code = (
        "import sys; from course.applications.predictor import Predictor\n"
        "print(Predictor.load(sys.argv[1]).predict([sys.argv[2]]).probabilities.tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code, folder, path], capture_output=True, text=True, check=True)
    expected = a_predictor().predict([path]).probabilities
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), expected, atol=1e-6, rtol=1e-5)


def test_saving_twice_replaces_and_unicode_names_survive(folder):
    model = tiny()
    Predictor(model, ("Käfer", "蜂", "🐜"), image_transform(model, size=32)).save(folder)
    loaded = Predictor.load(folder)
    assert loaded.classes == ("Käfer", "蜂", "🐜")
    assert loaded.preprocessing.crop == (32, 32)
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]


def test_loading_leaves_torchs_generator_as_it_was(folder):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    Predictor.load(folder)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["resnet18", "timm/resnet18"])
def test_two_libraries_models_of_one_name_are_kept_apart(tmp_path, name):
    model = load_backbone(name, weights=None, num_classes=3)
    loaded = Predictor.load(Predictor(model, CLASSES).save(tmp_path))
    assert type(loaded.model).__module__ == type(model).__module__
    assert loaded.preprocessing == Predictor(model, CLASSES).preprocessing


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "resnet50", "vit_b_16", "timm/resnet18", "timm/vit_tiny_patch16_224"]
)
@pytest.mark.parametrize("size", [None, 64])
def test_the_plain_numbers_do_what_the_transform_does(name, size):
    from course.applications.preprocessing import Preprocessing
    from course.models.factory import Origin

    if name.startswith(("timm/", "efficientnet")):
        transform = image_transform(load_backbone(name, weights=None), size=size)
    else:
        model = nn.Linear(1, 1)
        model.origin = Origin(name, "torchvision", None)
        transform = image_transform(model, size=size)
    for photo in (noise((90, 70)), noise((300, 270), seed=1)):
        torch.testing.assert_close(Preprocessing.of(transform)(photo), transform(photo), atol=1e-6, rtol=1e-6)


def test_a_compose_of_ones_own_is_read():
    own = T.Compose([T.Resize((50, 60)), T.CenterCrop(48), T.ToTensor(), T.Normalize([0.4] * 3, [0.2] * 3)])
    predictor = Predictor(tiny(), CLASSES, own)
    assert (predictor.preprocessing.resize, predictor.preprocessing.crop) == ((50, 60), (48, 48))
    torch.testing.assert_close(predictor.preprocessing(noise()), own(noise()))


# What can be wrong with a folder.


def edit(folder, **changes):
    """Change entries of the configuration; None takes one away."""
    config = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def exchange(folder, change):
    """Save other tensors, with a configuration that agrees with them."""
    state = load_file(folder / WEIGHTS)
    save_file(change(state), folder / WEIGHTS)
    edit(folder, sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(WeightsMissing, match=name):
        Predictor.load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsMissing, match="nowhere"):
        Predictor.load(tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_a_file_that_was_cut_off_is_refused(folder, kept):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:kept])
    with pytest.raises(WeightsCorrupt, match="truncated or not a safetensors"):
        Predictor.load(folder)


def test_a_single_flipped_bit_is_found(folder):
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-7] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(WeightsCorrupt, match="sha256"):
        Predictor.load(folder)


class Bomb:
    def __reduce__(self):
        return open, ("exploded", "w")


@pytest.mark.parametrize(
    "write", [lambda path: torch.save(Bomb(), path), lambda path: path.write_bytes(pickle.dumps(Bomb()))]
)
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_pickle_is_refused_and_never_run(folder, monkeypatch, tmp_path, write, name):
    monkeypatch.chdir(tmp_path)
    write(folder / name)
    with pytest.raises(WeightsCorrupt):
        Predictor.load(folder)
    assert not (tmp_path / "exploded").exists()


def test_weights_of_another_architecture_are_refused(folder):
    other = load_backbone("timm/test_resnet", weights=None, num_classes=3)
    exchange(folder, lambda _: {name: value.contiguous() for name, value in other.state_dict().items()})
    with pytest.raises(WeightsError, match=r"tensors are missing .* and .* are unexpected"):
        Predictor.load(folder)


def test_missing_and_extra_keys_are_named(folder):
    exchange(folder, lambda state: OrderedDict(list(state.items())[1:]))
    with pytest.raises(WeightsError, match=r"1 tensor is missing \("):
        Predictor.load(folder)
    exchange(a_predictor().save(folder), lambda state: state | {"back.door": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"1 tensor is unexpected \(back\.door"):
        Predictor.load(folder)


def test_another_number_of_classes_is_named(folder):
    edit(folder, classes=["ant", "bee"])
    with pytest.raises(WeightsError, match=r"with 2 classes: .*\(3, \d+\), not \(2, "):
        Predictor.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder, value):
    def spoil(state):
        state["conv_stem.weight"].view(-1)[0] = value
        return state

    exchange(folder, spoil)
    with pytest.raises(WeightsError, match="NaN or infinity"):
        Predictor.load(folder)


@pytest.mark.parametrize("name", ["resnet5", "hf-hub:some/model", "timm/local-dir:/etc", "../model", ""])
def test_a_model_that_nobody_knows_is_refused_without_a_download(folder, name):
    edit(folder, model=name)
    with pytest.raises(UnknownName):
        Predictor.load(folder)


PLAIN = {"resize": [48], "crop": [48, 48], "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"format": None}, "'format' is missing"),
        ({"format": "another"}, "its format is 'another'"),
        ({"classes": None}, "'classes' is missing"),
        ({"classes": "abc"}, "class names"),
        ({"classes": ["a", "a", "b"]}, "class names"),
        ({"classes": [1, 2, 3]}, "class names"),
        ({"model": 7}, "strings"),
        ({"sha256": 7}, "strings"),
        ({"preprocessing": {}}, "missing"),
        ({"preprocessing": 3}, ""),
        ({"preprocessing": PLAIN | {"code": "import os"}}, "code"),
        ({"preprocessing": PLAIN | {"crop": [10**9, 48]}}, "pixels"),
        ({"preprocessing": PLAIN | {"crop": [48]}}, "pixels"),
        ({"preprocessing": PLAIN | {"crop": 48}}, ""),
        ({"preprocessing": PLAIN | {"resize": [True]}}, "pixels"),
        ({"preprocessing": PLAIN | {"std": [0.5, 0.5, 0]}}, "impossible"),
        ({"preprocessing": PLAIN | {"mean": [0.5, 0.5]}}, "three numbers"),
        ({"preprocessing": PLAIN | {"mean": [0.5, float("nan"), 1]}}, "three numbers"),
        ({"preprocessing": PLAIN | {"interpolation": "eval"}}, "impossible"),
    ],
)
def test_a_configuration_that_save_did_not_write_is_refused(folder, changes, words):
    edit(folder, **changes)
    with pytest.raises(WeightsCorrupt, match=f"is not what Predictor.save wrote .*{words}"):
        Predictor.load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_configuration_that_is_no_object_is_refused(folder, content):
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(WeightsCorrupt, match=r"not what Predictor\.save wrote"):
        Predictor.load(folder)


def test_a_model_that_was_changed_in_more_than_its_head_is_not_saved(tmp_path):
    from course.models.lora import add_lora

    model = load_backbone("timm/vit_tiny_patch16_224", weights=None, num_classes=3)
    add_lora(model, rank=2, alpha=2)
    with pytest.raises(ModelError, match=r"tensors .* merge adapters"):
        Predictor(model, CLASSES).save(tmp_path / "lora")
    assert not (tmp_path / "lora").exists()


# ONNX.


def test_the_onnx_file_computes_the_same_for_any_batch_and_carries_what_it_needs(tmp_path):
    import onnxruntime

    predictor = a_predictor()
    assert predictor.export_onnx(tmp_path / "sub" / "insects.onnx") <= 1e-4
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["insects.onnx"]  # no second file with weights
    session = onnxruntime.InferenceSession(str(tmp_path / "sub" / "insects.onnx"))
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(CLASSES)
    assert json.loads(metadata["preprocessing"])["crop"] == [48, 48]
    expected = predictor.predict(photos())
    for part in ([0], [1, 2, 3, 4, 5, 6]):
        x = np.stack([predictor.preprocessing(photos()[i]).numpy() for i in part])
        (logits,) = session.run(["logits"], {"pictures": x})
        probabilities = torch.from_numpy(logits).softmax(1)
        torch.testing.assert_close(probabilities, expected.probabilities[part], atol=1e-4, rtol=0)
        assert probabilities.argmax(1).tolist() == expected.labels[part].tolist()


def test_an_export_of_large_logits_may_differ_by_as_much_more(tmp_path):
    import onnxruntime

    from course.applications.onnx_export import export_onnx, largest_difference

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(768, 256), nn.ReLU(), nn.Linear(256, 3))
    for parameter in model[3].parameters():
        parameter.data *= 1e4
    assert export_onnx(model, tmp_path / "a.onnx", (16, 16), {}) <= 1e-5
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    difference, same_labels = largest_difference(model, onnxruntime.InferenceSession(str(tmp_path / "a.onnx")), x)
    assert difference > 1e-4, "this is what the test is about"
    assert same_labels


def test_an_export_that_computes_something_else_is_an_error_and_leaves_no_file(tmp_path, monkeypatch):
    from course.applications import onnx_export

    monkeypatch.setattr(onnx_export, "MAX_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match="in ONNX Runtime a logit differs"):
        onnx_export.export_onnx(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), tmp_path / "a.onnx", (2, 2), {})
    assert not list(tmp_path.iterdir())
