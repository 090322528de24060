"""Random models in exactly the files and folders in which torchvision, timm, Keras and the hub publish real ones."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import timm
import torch
import transformers
from safetensors.torch import save
from torch import nn
from torchvision.models import get_model
from torchvision.models.resnet import BasicBlock, Bottleneck

from course.data import sentences
from course.models.weights import minilm_folder

SIZE = 32  # pixels of the pictures that a classifier's statistics fit, unless another size is given


def checkpoint(folder: Path, name: str, size: int = SIZE) -> str:
    """A torchvision model in torch.hub's folder, its hash in its name; returns the file's name."""
    model = detector(name) if name.endswith(("_fpn", "_fpn_v2", "_large")) else classifier(name, size)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    path = folder / f"{name}-{hashlib.sha256(file.getbuffer()).hexdigest()[:8]}.pth"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getbuffer())
    return path.name


def detector(name: str) -> nn.Module:
    return get_model(name, weights=None, weights_backbone=None)


def classifier(name: str, size: int = SIZE) -> nn.Module:
    """Random weights, tamed: as drawn, a step of training with frozen BatchNorm makes their numbers overflow.

    BatchNorm's statistics fit them at this size, and each residual block adds little, as in a network that has learned.
    """
    model = get_model(name, weights=None).train()
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.constant_(last.weight, 0.2)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees
    with torch.no_grad():
        for _ in range(3):
            model(nn.functional.interpolate(torch.randn(32, 3, 4, 4), size=size))
    return model


def keras_file(folder: Path, name: str, file: str) -> str:
    """A model of keras.applications without its head, in the HDF5 layout of Keras 2 as published; returns its md5."""
    from course.zoo.keras_models import import_keras

    keras = import_keras()
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(file).name
    with h5py.File(path, "w") as opened:
        save_weights_to_hdf5_group(opened, model)
    return hashlib.md5(path.read_bytes()).hexdigest()


def timm_files(name: str) -> dict[str, bytes]:
    """The repository of a timm model, as far as it is fetched."""
    return {"model.safetensors": save(timm.create_model(name).state_dict(), {"format": "pt"})}


WORDPIECES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")  # MiniLM's are those of BERT, uncased


def distilbert(*, narrow: bool = True) -> dict[str, bytes]:
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 32} if narrow else {}
    config = transformers.DistilBertConfig(**sizes, architectures=["DistilBertModel"])
    return text_model(transformers.DistilBertModel(config)) | wordpieces()


NARROW = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def bert() -> dict[str, bytes]:
    """As published in 2019, when the scale and shift of a LayerNorm were called gamma and beta."""
    config = transformers.BertConfig(**NARROW, architectures=["BertForMaskedLM"])
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    return text_model(transformers.BertForPreTraining(config), names) | wordpieces()


def roberta() -> dict[str, bytes]:
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    size = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    config = transformers.RobertaConfig(**NARROW, **size, vocab_size=400, architectures=["RobertaForMaskedLM"])
    return text_model(transformers.RobertaForMaskedLM(config)) | byte_pieces(tokens, max_length=512)


def gpt2() -> dict[str, bytes]:
    """As published: the base alone, without a prefix, and one token that begins and ends a text."""
    size = {"vocab_size": 400, "n_embd": 32, "n_layer": 2, "n_head": 2}
    writing = {"text-generation": {"do_sample": True, "max_length": 50}}
    config = transformers.GPT2Config(
        **size, bos_token_id=0, eos_token_id=0, architectures=["GPT2LMHeadModel"], task_specific_params=writing
    )
    return text_model(transformers.GPT2Model(config)) | byte_pieces(["<|endoftext|>"], max_length=1024)


def text_model(model: Any, names: dict[str, str] | None = None) -> dict[str, bytes]:
    """config.json and model.safetensors of a model with random weights, parts of the tensors' names replaced."""
    tensors = {}
    for name, value in nn.Module.state_dict(model).items():
        for new, old in (names or {}).items():
            name = name.replace(new, old)
        tensors[name] = value.clone().contiguous()
    return {
        "config.json": model.config.to_json_string().encode(),
        "model.safetensors": save(tensors, {"format": "pt"}),
    }


def wordpieces() -> dict[str, bytes]:
    return {name: (minilm_folder() / name).read_bytes() for name in WORDPIECES}


def byte_pieces(special: list[str], *, max_length: int) -> dict[str, bytes]:
    """The files of a byte-level tokenizer like GPT-2's, trained on a few sentences of ours."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    texts = sentences.topics("train", 160).texts
    trained.train_from_iterator(texts, vocab_size=400, special_tokens=special, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(path) for path in trained.save_model(folder)]
        files = {path.name: path.read_bytes() for path in paths}
    settings = {"model_max_length": max_length}
    return files | {
        "tokenizer.json": trained.to_str().encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
    }
