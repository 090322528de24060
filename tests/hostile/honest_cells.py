"""Right answers that a kernel accepts and a plainer reader would not: (name, the exercise's cell, cells around it).

Each is an answer to 02-freeze-backbone. Cells `before` stand above everything, `after` below everything.
"""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from typing import Any

HEAD = "# exercise: 02-freeze-backbone\n"
BODY = "    for p in module.parameters():\n        p.requires_grad = False\n    return module\n"
PLAIN = f"def freeze(module):\n{BODY}"
USES = "def freeze(module):\n    {}\n    return module\n"


def uses(line: str) -> str:
    return HEAD + USES.format(line)


def _prompted(first: str, others: str) -> str:
    lines = (HEAD + PLAIN).splitlines()
    return "\n".join((others if line.startswith("    ") else first) + line for line in lines)


KERNEL: list[tuple[str, str, dict[str, Any]]] = [
    # What a kernel puts into the namespace
    ("display", uses("display('frozen'); module.requires_grad_(False)"), {}),
    ("get_ipython", uses("get_ipython().run_line_magic('matplotlib', 'inline'); module.requires_grad_(False)"), {}),
    ("In and Out", uses("len(In), len(Out); module.requires_grad_(False)"), {}),
    ("display that is imported", HEAD + "from IPython.display import display, clear_output\n" + USES.format("display(module); module.requires_grad_(False)"), {}),
    # Magics of every form
    ("%%time above", "%%time\n" + HEAD + PLAIN, {}),
    ("%%time above, and a line that begins with %", "%%time\n" + HEAD + "def freeze(module):\n    n = (\n        7\n        % 4\n    )\n" + BODY, {}),
    ("%%capture above", "%%capture\n" + HEAD + PLAIN, {}),
    ("%%capture with a name, which is read", "%%capture out\n" + HEAD + USES.format("out.stdout; module.requires_grad_(False)"), {}),
    ("%%time above %%capture", "%%time\n%%capture --no-stderr\n" + HEAD + PLAIN, {}),
    ("blank lines above %%time", "\n\n%%time\n" + HEAD + PLAIN, {}),
    ("%time before a statement", HEAD + "%time FLAG = False\n" + USES.format("module.requires_grad_(FLAG)"), {}),
    ("%time for a value", HEAD + "FLAG = %time bool(0)\n" + USES.format("module.requires_grad_(FLAG)"), {}),
    ("%timeit -o that is kept in a dictionary", HEAD + "took = {}\ntook['loop'] = %timeit -o sum(range(9))\n" + USES.format("took['loop'].average; module.requires_grad_(False)"), {}),
    ("%timeit of the answer below it", HEAD + PLAIN + "%timeit -n 1 -r 1 freeze(nn.Linear(2, 2))\n", {}),
    ("a shell assignment", HEAD + "files = !ls\n" + USES.format("len(files); module.requires_grad_(False)"), {}),
    ("a shell assignment to an attribute", HEAD + "class Box: pass\nbox = Box()\nbox.files = !ls\n" + USES.format("len(box.files); module.requires_grad_(False)"), {}),
    ("%%system's line form", HEAD + "lines = %sx ls\n" + PLAIN, {}),
    ("%run of a file that is missing", HEAD + "%run no_such_file.py\n" + PLAIN, {}),
    ("%run of a file that is missing, elsewhere", HEAD + PLAIN, {"before": ("%run no_such_file.py\n%load_ext tensorboard",)}),
    ("!pip beside a docstring with % and !", HEAD + "!pip install \\\n    timm\ndef freeze(module):\n    '''Freeze it.\n\n    %time and\n    !pip are text here.\n    '''\n" + BODY, {}),
    ("a shell line with an unbalanced quote", HEAD + "!echo it's frozen\n" + PLAIN, {}),
    ("%matplotlib, %config and %autoreload", HEAD + "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n%load_ext autoreload\n%autoreload 2\n" + PLAIN, {}),
    ("a magic inside the function", HEAD + "def freeze(module):\n    %time module.requires_grad_(False)\n    return module\n", {}),
    ("a shell line inside the function", HEAD + "def freeze(module):\n    !echo freezing\n" + BODY, {}),
    ("help before and behind", HEAD + "?len\n" + PLAIN + "freeze?\nfreeze??\nlen?", {}),
    ("automagic's cousins: , and ; and /", HEAD + "/len 'abc'\n" + PLAIN, {}),
    ("%%writefile and an import of what it writes", HEAD + "from own_helpers import off\n" + USES.format("[off(p) for p in module.parameters()]"), {"before": ("%%writefile own_helpers.py\ndef off(p): p.requires_grad = False\n",)}),
    ("%%writefile and %run of what it writes", uses("[off(p) for p in module.parameters()]"), {"before": ("%%writefile run_this.py\ndef off(p): p.requires_grad = False\n", "%run run_this.py")}),
    ("%env, %cd, %pwd and %who", HEAD + "%env A=1\n%cd ..\nhere = %pwd\n%who\n" + PLAIN, {}),
    ("cells of other languages around", HEAD + PLAIN, {"before": ("%%html\n<b>freeze</b>", "%%javascript\nlet x = 1", "%%bash\nls | wc", "%%latex\n$x$", "%%script python\nprint(1)")}),
    ("a semicolon at the end, and an underscore", HEAD + PLAIN + "_ = freeze(nn.Linear(1, 1));\n_;", {}),
    # Prompts and indentation
    ("an indented cell", "\n".join("    " + line for line in (HEAD + PLAIN).splitlines()), {}),
    ("a cell indented by tabs", "\n".join("\t" + line for line in (HEAD + PLAIN).splitlines()), {}),
    ("prompts of Python", _prompted(">>> ", "... "), {}),
    ("prompts of IPython", _prompted("In [3]: ", "   ...: "), {}),
    # Built in steps, elsewhere or here
    ("a list that is appended to", HEAD + "KINDS = []\nKINDS.append(nn.Module)\n" + USES.format("[p.requires_grad_(False) for m in module.modules() if isinstance(m, tuple(KINDS)) for p in m.parameters()]"), {}),
    ("a list that is appended to in another cell", uses("[p.requires_grad_(False) for m in module.modules() if isinstance(m, tuple(KINDS)) for p in m.parameters()]"), {"before": ("from torch import nn\nKINDS = []", "KINDS.append(nn.Module)")}),
    ("a dictionary that is updated", uses("module.requires_grad_(OPTIONS['flag'])"), {"before": ("OPTIONS = {'flag': True}", "OPTIONS.update(flag=False)")}),
    ("an item that is set", uses("module.requires_grad_(OPTIONS['flag'])"), {"before": ("OPTIONS = dict(flag=True)\nOPTIONS['flag'] = False",)}),
    ("an augmented assignment", uses("module.requires_grad_(bool(SWITCH))"), {"before": ("SWITCH = 3", "SWITCH -= 3")}),
    ("a global name that a function binds", uses("module.requires_grad_(FLAG)"), {"before": ("def configure():\n    global FLAG\n    FLAG = False", "configure()")}),
    ("a global name, bound two calls deep", uses("module.requires_grad_(FLAG)"), {"before": ("def configure():\n    global FLAG\n    FLAG = False\ndef main():\n    configure()\nFLAG = True\nmain()",)}),
    ("a function that fills what it is given", uses("module.requires_grad_(*FLAGS)"), {"before": ("def fill(box):\n    box.append(False)\nFLAGS = []\nfill(FLAGS)",)}),
    ("the target of a loop", uses("module.requires_grad_(flag)"), {"before": ("for flag in (True, False):\n    pass",)}),
    ("the target of a with", uses("module.requires_grad_(not stream.closed)"), {"before": ("import io\nwith io.StringIO() as stream:\n    pass",)}),
    ("a walrus at the top", uses("module.requires_grad_(flag)"), {"before": ("if not (flag := False):\n    pass",)}),
    ("a walrus in a comprehension", uses("module.requires_grad_(last)"), {"before": ("[last := bool(n) for n in (1, 0)]",)}),
    ("a match at the top", uses("module.requires_grad_(flag)"), {"before": ("match {'flag': False}:\n    case {'flag': flag}:\n        pass",)}),
    ("an except that binds", uses("module.requires_grad_(flag)"), {"before": ("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    flag = 'zero' not in str(error)",)}),
    ("setattr on an imported class", uses("module.freeze_me()"), {"before": ("from torch import nn\nsetattr(nn.Module, 'freeze_me', lambda self: self.requires_grad_(False))",)}),
    ("an attribute set on an imported class", uses("module.freeze_me()"), {"before": ("from torch import nn\nnn.Module.freeze_me = lambda self: self.requires_grad_(False)",)}),
    ("singledispatch with register", HEAD + "from functools import singledispatch\n@singledispatch\ndef freeze(module): raise TypeError\n@freeze.register\ndef _(module: nn.Module): return module.requires_grad_(False)\n", {}),
    ("singledispatch, registered in another cell", HEAD + "def freeze(module):\n    return switch_off(module)\n", {"before": ("from functools import singledispatch\nfrom torch import nn\n@singledispatch\ndef switch_off(x): raise TypeError", "switch_off.register(nn.Module, lambda m: m.requires_grad_(False))")}),
    ("a registry with a decorator", HEAD + "def freeze(module):\n    return WAYS['loop'](module)\n", {"before": ("WAYS = {}\ndef way(name):\n    def keep(function):\n        WAYS[name] = function\n        return function\n    return keep", "@way('loop')\ndef loop(module): return module.requires_grad_(False)")}),
    ("await at the top of a cell", uses("module.requires_grad_(flag)"), {"before": ("import asyncio\nasync def ask():\n    await asyncio.sleep(0)\n    return False", "flag = await ask()")}),
    ("async with and async for at the top", uses("module.requires_grad_(flags[-1])"), {"before": ("async def ask():\n    yield True\n    yield False\nflags = []\nasync for flag in ask():\n    flags.append(flag)",)}),
    ("globals() that are updated", uses("module.requires_grad_(FLAG_OF_GLOBALS)"), {"before": ("globals().update(FLAG_OF_GLOBALS=False)",)}),
    ("globals() that a function updates", uses("module.requires_grad_(FLAG_OF_ANY)"), {"before": ("def bring(): globals()['FLAG_' + 'OF_ANY'] = False\nbring()",)}),
    ("exec at the top", uses("module.requires_grad_(FLAG_OF_EXEC)"), {"before": ("exec('FLAG_OF_EXEC = False')",)}),
    ("an object whose method the answer relies on", uses("module.requires_grad_(switch.on)"), {"before": ("class Switch:\n    on = True\n    def off(self):\n        self.on = False\nswitch = Switch()\nswitch.off()",)}),
    ("a class that is changed behind its definition", uses("Freezer().run(module)"), {"before": ("class Freezer: pass", "def run(self, module): module.requires_grad_(False)\nFreezer.run = run")}),
    ("names that are bound again below", uses("module.requires_grad_(FLAG)"), {"before": ("FLAG = False",), "after": ("FLAG = True",)}),
    ("a helper that is written again below", uses("off(module)"), {"before": ("def off(m): m.requires_grad_(False)",), "after": ("def off(m): raise ValueError('another experiment')",)}),
    ("a list that goes on growing below", uses("module.requires_grad_(FLAGS[-1])"), {"before": ("FLAGS = [False]",), "after": ("FLAGS.append(True)",)}),
    ("a name that is bound again above", uses("module.requires_grad_(FLAG)"), {"before": ("FLAG = True", "FLAG = False")}),
    ("a name taken from an experiment", uses("module.requires_grad_(bool(best['x']) - 1 > 0)"), {"before": ("def search():\n    return {'x': 0.5}\nhistory = [search() for _ in range(3)]\nbest = max(history, key=lambda row: row['x'])",)}),
    # Forms of definitions
    ("a chain of decorators, one a class", HEAD + "class Named:\n    def __init__(self, function): self.function = function\n    def __call__(self, *a): return self.function(*a)\ndef loud(f):\n    return lambda *a: f(*a)\n@Named\n@loud\n" + PLAIN, {}),
    ("a closure that a factory returns", HEAD + "def make(flag):\n    def inner(module):\n        for p in module.parameters(): p.requires_grad = flag\n        return module\n    return inner\nfreeze = make(False)", {}),
    ("a bound method", HEAD + "class Tool:\n    def off(self, module): return module.requires_grad_(False)\nfreeze = Tool().off", {}),
    ("a static method and a class method", HEAD + "class Tool:\n    @staticmethod\n    def one(m): m.requires_grad_(False)\n    @classmethod\n    def all(cls, m):\n        cls.one(m)\n        return m\nfreeze = Tool.all", {}),
    ("a method of torch's own class", HEAD + "freeze = lambda module, off=nn.Module.requires_grad_: off(module, False)", {}),
    ("an assignment with a type", HEAD + "from typing import Callable\nfreeze: Callable = lambda module: module.requires_grad_(False)", {}),
    ("two names at once", HEAD + "freeze = frost = lambda module: module.requires_grad_(False)", {}),
    ("unpacked from a tuple", HEAD + "freeze, thaw = (lambda m: m.requires_grad_(False)), (lambda m: m.requires_grad_(True))", {}),
    ("chosen by a conditional expression", HEAD + "def _a(m): return m.requires_grad_(False)\nfreeze = _a if torch.__version__ else None", {}),
    ("defined in a try", HEAD + "try:\n    import a_fancy_library\n    freeze = a_fancy_library.freeze\nexcept ImportError:\n    def freeze(module): return module.requires_grad_(False)", {}),
    ("defined in a with and a for", HEAD + "import contextlib\nwith contextlib.suppress(ValueError):\n    for _ in range(1):\n        def freeze(module): return module.requires_grad_(False)", {}),
    ("a dataclass, an enum and a named tuple", HEAD + "from dataclasses import dataclass, field\nfrom enum import Enum\nfrom typing import NamedTuple\nclass State(Enum):\n    OFF = False\n@dataclass(frozen=True)\nclass Options:\n    state: State = State.OFF\n    more: list = field(default_factory=list)\nclass Pair(NamedTuple):\n    options: Options\n    name: str = 'x'\ndef freeze(module, pair=Pair(Options())):\n    return module.requires_grad_(pair.options.state.value)", {}),
    ("an abstract base class, a metaclass and a property", HEAD + "from abc import ABC, abstractmethod\nclass Base(ABC):\n    @abstractmethod\n    def flag(self): ...\nclass Off(Base):\n    flag = property(lambda self: False)\n" + USES.format("module.requires_grad_(Off().flag)"), {}),
    ("a context manager of its own", HEAD + "from contextlib import contextmanager\n@contextmanager\ndef frozen(m):\n    m.requires_grad_(False)\n    yield m\ndef freeze(module):\n    with frozen(module) as m:\n        return m", {}),
    ("a generator, send and yield from", HEAD + "def steps(m):\n    for p in m.parameters():\n        got = yield p\n        p.requires_grad_(got)\ndef freeze(module):\n    work = steps(module)\n    next(work, None)\n    try:\n        while True: work.send(False)\n    except StopIteration:\n        return module", {}),
    ("positional-only, keyword-only and star arguments", HEAD + "def freeze(module, /, *rest, flag=False, **more):\n    return module.requires_grad_(flag)", {}),
    ("lru_cache and wraps", HEAD + "from functools import lru_cache, wraps\n@lru_cache\ndef flag(): return False\ndef same(f):\n    @wraps(f)\n    def inner(m): return f(m)\n    return inner\n@same\n" + USES.format("module.requires_grad_(flag())"), {}),
    ("operator, itertools and reduce", HEAD + "import operator as op\nfrom functools import reduce\nfrom itertools import chain\n" + USES.format("reduce(lambda _, p: op.methodcaller('requires_grad_', False)(p), chain(module.parameters()), None)"), {}),
    ("exceptions of its own and finally", HEAD + "class Done(Exception): pass\ndef freeze(module):\n    try:\n        module.requires_grad_(False)\n        raise Done\n    except Done:\n        return module\n    finally:\n        pass", {}),
    ("a match over types and except*", HEAD + "def freeze(module):\n    match module:\n        case nn.Module():\n            module.requires_grad_(False)\n    try:\n        raise ExceptionGroup('x', [ValueError()])\n    except* ValueError:\n        pass\n    return module", {}),
    ("a star import of its helpers' module", HEAD + "from math import *\nfrom operator import *\n" + USES.format("module.requires_grad_(not truth(floor(1.5)))"), {}),
    ("unicode names, and a coding line", "# -*- coding: utf-8 -*-\n" + HEAD + "größe = False\n" + USES.format("module.requires_grad_(größe)"), {}),
    # Libraries that are not there, where nothing needs them
    ("an annotation of a library that is not there", HEAD + "from jaxtyping_of_nobody import Float\nfrom torch import Tensor\ndef freeze(module, x: Float[Tensor, 'a b'] | None = None):\n" + BODY, {}),
    ("the same, in another cell and as an attribute", HEAD + "def freeze(module: jt.Module) -> jt.Module:\n" + BODY, {"before": ("import jaxtyping_of_nobody as jt",)}),
    ("a class with fields of types that are not there", HEAD + "from pydantic_of_nobody import Positive\nclass Options:\n    size: Positive[int] = 3\n" + USES.format("Options.size; module.requires_grad_(False)"), {}),
    ("an import that is never used", HEAD + "import wandb_of_nobody\nimport seaborn_of_nobody as sns\n" + PLAIN, {}),
    ("an import that is only used by an experiment in the cell", HEAD + "import wandb_of_nobody\n" + PLAIN + "wandb_of_nobody.init()\n", {}),
    # The exercise's own cell does more
    ("an experiment in the answer's cell that fails", HEAD + PLAIN + "model = undefined_model()\nfreeze(model)\nassert False", {}),
    ("a check, a hint and a plot in the answer's cell", HEAD + "import matplotlib.pyplot as plt\n" + PLAIN + "check('02-freeze-backbone')\nhint('02-freeze-backbone')\nplt.plot([1]); plt.show()", {}),
    ("a loop in the answer's cell that prepares", HEAD + "FLAGS = {}\nfor name in ('bn', 'conv'):\n    FLAGS[name] = False\n" + USES.format("module.requires_grad_(any(FLAGS.values()))"), {}),
    ("an answer's cell that exits at its end", HEAD + PLAIN + "import sys\nsys.exit(0)\n", {}),
    ("an answer's cell that asks for input", HEAD + PLAIN + "name = input('your name? ')\n", {}),
]  # fmt: skip
