"""Narrow variants of well-known architectures, so that a check takes milliseconds.

Each takes (B, 3, 32, 32) pictures and returns (B, num_classes) logits, with the module names of its full-size model.
`cnn` is our own: `backbone` (convolutions, BatchNorm, dropout) and `head`. So are `chain` and `long_chain`: their
children are their stages, from the input to the head, which is a Linear.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

SIZE = 32  # pixels


def build(architecture: str, num_classes: int = 5, *, seed: int = 0) -> nn.Module:
    """The architecture with weights drawn from `seed`, in train mode; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes a stack trace for a GPU each time: 1 ms
        return ARCHITECTURES[architecture](num_classes)


def drawn_state(architecture: str, rng: torch.Generator, num_classes: int = 5) -> dict[str, torch.Tensor]:
    """A state dict with weights and BatchNorm statistics drawn from `rng`, none of them at its default value."""
    return with_statistics(build(architecture, num_classes, seed=int(torch.randint(2**31, (), generator=rng))), rng)


def with_statistics(model: nn.Module, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """The state of a model, its BatchNorm statistics drawn from `rng`."""
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith("running_mean"):
            value.copy_(torch.randn(value.shape, generator=rng) * 0.3)
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=rng) + 0.5)
    return state


def restore(architecture: str, state: dict[str, torch.Tensor], num_classes: int = 5) -> nn.Module:
    """A fresh model of the architecture with this state, in train mode."""
    model = build(architecture, num_classes)
    model.load_state_dict(state)
    return model


def show_modes(model: nn.Module, *, silent: str | None = None) -> nn.Module:
    """The model, its modes now to be seen in its outputs: a Dropout in train mode doubles and drops nothing.

    Those in the submodule `silent` do neither.
    """
    inside = set(model.get_submodule(silent).modules()) if silent is not None else set()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # what is dropped is drawn, and differs between machines
            if module not in inside:
                module.register_forward_hook(lambda layer, _, output: output * 2 if layer.training else output)
    return model


def pictures(rng: torch.Generator, count: int) -> torch.Tensor:
    """(count, 3, 32, 32) float32, standard normal."""
    return torch.randn(count, 3, SIZE, SIZE, generator=rng)


def labels(rng: torch.Generator, count: int, num_classes: int = 5) -> torch.Tensor:
    """(count,) int64 in [0, num_classes)."""
    return torch.randint(num_classes, (count,), generator=rng)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def _cnn(num_classes: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stage1"] = nn.Sequential(*_block(3, 6), nn.MaxPool2d(4))
    layers["stage2"] = nn.Sequential(*_block(6, 8), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.3))
    head = nn.Sequential(nn.Linear(32, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, num_classes))
    return nn.Sequential(OrderedDict(backbone=nn.Sequential(layers), head=head))


class _ResNet(nn.Module):
    def __init__(self, num_classes: int):
        from torchvision.models.resnet import BasicBlock

        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(BasicBlock(8, 8))
        down = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2, bias=False), nn.BatchNorm2d(16))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, stride=2, downsample=down))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(self.avgpool(x).flatten(1))  # (B, 16, 8, 8) -> (B, 16) -> (B, classes)


class _VGG(nn.Module):
    def __init__(self, num_classes: int):
        super().__init__()
        self.features = nn.Sequential(*_block(3, 6), nn.MaxPool2d(4), *_block(6, 8), nn.MaxPool2d(4))
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _efficientnet(num_classes: int) -> nn.Module:
    from torchvision.models.efficientnet import EfficientNet, MBConvConfig

    settings = [MBConvConfig(1, 3, 2, 8, 8, 1, 1, 1), MBConvConfig(2, 3, 2, 8, 16, 1, 1, 1)]
    return EfficientNet(settings, dropout=0.2, num_classes=num_classes, last_channel=24)


def _vit(num_classes: int) -> nn.Module:
    from torchvision.models.vision_transformer import VisionTransformer

    model = VisionTransformer(SIZE, 8, 2, 2, 16, 32, dropout=0.1, num_classes=num_classes)
    nn.init.normal_(model.heads.head.weight, std=0.1)  # torchvision starts a ViT's head at zero
    return model


def _chain(num_classes: int, widths: tuple[int, ...] = (4, 6, 8)) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=nn.Sequential(*_block(3, widths[0]), nn.MaxPool2d(4)))
    for i in range(1, len(widths)):
        layers[f"stage{i}"] = _block(widths[i - 1], widths[i])
    layers[f"stage{len(widths)}"] = nn.Sequential(
        *_block(widths[-1], widths[-1]), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    layers["head"] = nn.Linear(widths[-1], num_classes)
    return nn.Sequential(layers)


def _long_chain(num_classes: int) -> nn.Module:
    return _chain(num_classes, (4, 4, 6, 6, 8))


ARCHITECTURES = {
    "cnn": _cnn,
    "resnet": _ResNet,
    "vgg": _VGG,
    "efficientnet": _efficientnet,
    "vit": _vit,
    "chain": _chain,
    "long_chain": _long_chain,
}
