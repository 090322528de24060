"""Right answers in other styles: (name, body, what stands above it, other cells)."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from typing import Any

LOOP = """
for parameter in module.parameters():
    parameter.requires_grad_(False)
return module
"""
ROWS = """
model.eval()
with torch.no_grad():
    rows = [(model(x), y) for x, y in loader]
return torch.cat([x for x, _ in rows]), torch.cat([y for _, y in rows])
"""
TRAINABLE = "return [p for p in model.parameters() if p.requires_grad]"

ANSWERS: dict[str, list[tuple[str, str, str, dict[str, Any]]]] = {
    "freeze": [
        (
            "warnings on stderr",
            "import sys, warnings\nwarnings.warn('old')\nwarnings.warn('old', DeprecationWarning)\n"
            "print('to stderr', file=sys.stderr)\n" + LOOP,
            "",
            {},
        ),
        ("prints, of many lines", "for number in range(10_000): print('frozen', number, '✓ ❄')\n" + LOOP, "", {}),
        (
            "logging that was set up in another cell",
            "log.info('freezing')\nlog.warning('frozen')\n" + LOOP,
            "",
            {"before": ("import logging\nlogging.basicConfig(level=logging.INFO)\nlog = logging.getLogger('mine')",)},
        ),
        (
            "helpers, imports and constants in other cells, behind it too",
            "return _walk(module)",
            "",
            {
                "before": ("import functools as ft\nFLAG = not True",),
                "after": (
                    "def _walk(module):\n    ft.reduce(lambda _, p: _switch(p), module.parameters(), None)\n"
                    "    return module",
                    "def _switch(parameter):\n    parameter.requires_grad = FLAG",
                ),
            },
        ),
        (
            "a decorator of its own",
            LOOP,
            "import functools\ndef traced(function):\n    @functools.wraps(function)\n    def inner(*a, **k):\n"
            "        print('called')\n        return function(*a, **k)\n    return inner\n\n@traced",
            {},
        ),
        (
            "recursion and closures",
            "def switch_off():\n    def visit(part):\n        for child in part.children(): visit(child)\n"
            "        for p in part.parameters(recurse=False): p.requires_grad = flag\n    flag = False\n"
            "    visit(module)\nswitch_off()\nreturn module",
            "",
            {},
        ),
        ("names in other scripts", "for größe, π in module.named_parameters(): π.requires_grad = bool(größe == 'ñ_Ω')", "", {}),
        (
            "a walrus, a match statement and an f-string",
            "if (count := len(list(module.parameters()))) >= 0: print(f'{count=}')\n"
            "match module:\n    case _:\n        module.requires_grad_(False)\nreturn module",
            "",
            {},
        ),
        (
            "a library that may be missing",
            "if fancy: fancy.freeze(module)\n" + LOOP,
            "try:\n    import a_fancy_library as fancy\nexcept ImportError:\n    fancy = None",
            {},
        ),
        (
            "files in its own folder, its home and a temporary one",
            "import os, tempfile\nfrom pathlib import Path\n"
            "Path('log.txt').write_text('x')\nPath(Path.home(), 'log.txt').write_text('x')\n"
            "with tempfile.TemporaryDirectory() as folder: os.listdir(folder)\n" + LOOP,
            "",
            {},
        ),
        (
            "random numbers of every kind",
            "import random\nimport numpy as np\nnp.random.seed(0)\nrandom.random(), np.random.rand(3), torch.rand(3)\n"
            "torch.manual_seed(1)\nnp.random.default_rng().normal()\n" + LOOP,
            "",
            {},
        ),
        (
            "type hints that need an import, and a docstring",
            '"""Freeze it."""\nparameter: nn.Parameter\n' + LOOP,
            "from __future__ import annotations\nfrom collections.abc import Callable\nfrom typing import TypeVar\n"
            "M = TypeVar('M', bound='nn.Module')",
            {},
        ),
        (
            "a thread, a subprocess of Python and a pool of threads",
            "import subprocess, sys, threading\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "thread = threading.Thread(target=module.requires_grad_, args=(False,)); thread.start(); thread.join()\n"
            "with ThreadPoolExecutor(4) as pool: list(pool.map(str, range(10)))\n"
            "assert subprocess.run([sys.executable, '-S', '-c', 'print(1)'], capture_output=True).stdout == b'1\\n'\n"
            "return module",
            "",
            {},
        ),
        (
            "other numbers of threads, and settings of torch",
            "torch.set_num_threads(2)\ntorch.use_deterministic_algorithms(True)\n"
            "torch.set_printoptions(precision=2)\n" + LOOP,
            "",
            {},
        ),
        (
            "a device that is chosen by what is there",
            "module.to(DEVICE)\n" + LOOP,
            "DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'",
            {},
        ),
        (
            "async code that it runs itself",
            "import asyncio\nasync def work():\n    await asyncio.sleep(0)\n    module.requires_grad_(False)\n"
            "asyncio.run(work())",
            "",
            {},
        ),
    ],
    "listing": [
        ("a generator that is a list in the end", "return list(p for p in model.parameters() if p.requires_grad)", "", {}),
        ("a generator", "yield from (p for p in model.parameters() if p.requires_grad)", "", {}),
        ("a tuple", "return tuple(filter(lambda p: p.requires_grad, model.parameters()))", "", {}),
        (
            "named parameters and a dictionary's values",
            "return {n: p for n, p in model.named_parameters() if p.requires_grad}.values()",
            "",
            {},
        ),
    ],
    "caching": [
        (
            "a data class and a class of its own",
            "box = Box()\nmodel.eval()\nwith torch.inference_mode():\n    for x, y in loader: box.add(model(x), y)\n"
            "return box.x, box.y",
            "from dataclasses import dataclass, field\n@dataclass\nclass Box:\n    xs: list = field(default_factory=list)\n"
            "    ys: list = field(default_factory=list)\n    def add(self, x, y):\n        self.xs.append(x.clone())\n"
            "        self.ys.append(y)\n    @property\n    def x(self): return torch.cat(self.xs)\n"
            "    @property\n    def y(self): return torch.cat(self.ys)",
            {},
        ),
        ("float64", ROWS.replace("return torch.cat([x for x, _ in rows])", "return torch.cat([x for x, _ in rows]).double()"), "", {}),
        (
            "torch's default dtype set at the top",
            ROWS,
            "",
            {"before": ("import torch\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(1)",)},
        ),
        (
            "workers of a DataLoader",
            "loader = torch.utils.data.DataLoader(loader.dataset, batch_sampler=loader.batch_sampler, num_workers=2)\n" + ROWS,
            "import torch.utils.data",
            {},
        ),
        ("scikit-learn in passing", "numpy.unique(LabelEncoder().fit_transform(['a', 'b']))\n" + ROWS,
         "import numpy\nfrom sklearn.preprocessing import LabelEncoder", {}),
        ("pandas or a plot, if they are there", "if plt: plt.figure()\n" + ROWS,
         "try:\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    plt = None", {}),
        ("a progress bar", "from tqdm.auto import tqdm\nloader = list(tqdm(loader, desc='features'))\n" + ROWS, "", {}),
        ("channels last and another layout in memory", "model.to(memory_format=torch.channels_last)\n" + ROWS, "", {}),
        (
            "preallocated and filled in place",
            "n = len(loader.dataset)\nmodel.eval()\nout, labels, at = None, torch.empty(n, dtype=torch.int64), 0\n"
            "for x, y in loader:\n    z = model(x).detach()\n    out = z.new_empty(n, z.shape[1]) if out is None else out\n"
            "    out[at:at + len(y)], labels[at:at + len(y)] = z, y\n    at += len(y)\nreturn out, labels",
            "",
            {},
        ),
    ],
    "cells": [
        ("a lambda that was assigned", "# exercise: 02-freeze-backbone\nfreeze = lambda module: module.requires_grad_(False)",
         "02-freeze-backbone", {}),
        ("functools.partial",
         "# exercise: 02-freeze-backbone\nfrom functools import partial\ndef _set(module, flag):\n"
         "    return module.requires_grad_(flag)\nfreeze = partial(_set, flag=False)", "02-freeze-backbone", {}),
        ("a method of an object",
         "# exercise: 02-freeze-backbone\nclass Freezer:\n    def __call__(self, module):\n"
         "        return module.requires_grad_(False)\nfreeze = Freezer()", "02-freeze-backbone", {}),
        ("a definition that is replaced below",
         "# exercise: 02-freeze-backbone\ndef freeze(module):\n    raise NotImplementedError\n\n"
         "def freeze(module):\n    return module.requires_grad_(False)\nprint('tried:', freeze(nn.Linear(1, 1)))",
         "02-freeze-backbone", {}),
        ("a definition in an if", "# exercise: 02-freeze-backbone\nif True:\n    def freeze(module):\n"
         "        return module.requires_grad_(False)", "02-freeze-backbone", {}),
        ("the course imported inside, and other answers called",
         "# exercise: 02-list-trainable\ndef trainable_parameters(model):\n    from course.models import is_frozen\n"
         "    freeze(nn.Linear(1, 1))\n    is_frozen(model)\n    return [p for p in model.parameters() if p.requires_grad]",
         "02-list-trainable", {}),
        ("a default argument and keywords of its own",
         "# exercise: 02-freeze-backbone\ndef freeze(module, *, flag: bool = False, **rest) -> 'nn.Module':\n"
         "    return module.requires_grad_(flag)", "02-freeze-backbone", {}),
    ],
}  # fmt: skip
