"""Build baseline.safetensors: the head of a frozen probe, which a capstone on the emoji has to reach.

    python solutions/hidden/capstone/build_baseline.py

The probe is a logistic regression (C = 0.01) on the standardised features of the bundled backbone, at 96 pixels, over
the training split in its three released styles. The file holds the head alone, with the standardisation folded in, and
its metadata what a hand-in's hold, and the accuracy over all pictures of pictures.zip: what a machine must find again.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression

from course.applications.preprocessing import Preprocessing
from course.capstone.handing_in import FORMAT
from course.data.emoji import CLASSES, STYLES, Emoji
from course.models.backbones import image_transform, load_backbone
from course.models.heads import find_head

SIZE = 96


def main() -> None:
    """Write the file beside this one, and print the accuracy in each hidden style."""
    torch.set_num_threads(1)
    model = load_backbone()
    preprocessing = Preprocessing.of(image_transform(model, size=SIZE))
    captured: list[torch.Tensor] = []
    find_head(model).module.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))

    def features(pictures: list[Image.Image]) -> torch.Tensor:
        captured.clear()
        with torch.inference_mode():
            for start in range(0, len(pictures), 32):
                batch = torch.stack([preprocessing(picture) for picture in pictures[start : start + 32]])
                model(batch.to(memory_format=torch.channels_last))
        return torch.cat(captured)  # (N, 1280)

    sets = [Emoji("train", style=style, transform=lambda picture: picture) for style in STYLES]
    x = features([data[index][0] for data in sets for index in range(len(data))])
    y = torch.cat([data.labels for data in sets])
    mean, scale = x.mean(0), x.std(0) + 1e-6
    probe = LogisticRegression(C=0.01, max_iter=300).fit(((x - mean) / scale).numpy(), y.numpy())
    weight = torch.from_numpy(probe.coef_).float() / scale
    head = {"weight": weight, "bias": torch.from_numpy(probe.intercept_).float() - weight @ mean}

    right = []
    with zipfile.ZipFile(Path(__file__).with_name("pictures.zip")) as archive:
        for style in ("openmoji", "flat"):
            names = [name for name in archive.namelist() if name.startswith(f"{style}/")]
            found = features([Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names])
            labels = torch.tensor([CLASSES.index(name.split("/")[1]) for name in names])
            right.append((found @ head["weight"].T + head["bias"]).argmax(1) == labels)
            print(style, f"{right[-1].float().mean():.3f} of {len(names)}")
    metadata = {
        "format": FORMAT,
        "model": "efficientnet_lite0",
        "classes": json.dumps(CLASSES),
        "preprocessing": json.dumps(asdict(preprocessing)),
        "accuracy": f"{torch.cat(right).float().mean():.4f}",
    }
    tensors = {name: tensor.contiguous() for name, tensor in head.items()}
    save_file(tensors, Path(__file__).with_name("baseline.safetensors"), metadata=metadata)


if __name__ == "__main__":
    main()
