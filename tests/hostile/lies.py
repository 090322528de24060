"""Wrong answers that pretend to be right."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from tests.hostile.attacks import CACHING, CRASHED, ERROR, GRADED, LISTING, TIMEOUT, Attack, caching, freeze, listing

ALWAYS_EQUAL = """
import torch
class Equal(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
"""
FORGED_CLASS = """
import torch
class Forged:
    __class__ = torch.nn.Parameter
    __array__ = property(lambda self: 1 / 0)
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __getattr__(self, name): return lambda *args, **kwargs: self
"""
EVIL_NUMBER = """
import torch
class Number(float):
    def __eq__(self, other): return True
    def __float__(self): return 1.0
    def __reduce__(self): return eval, ("__import__('os')._exit(0)",)
"""

ATTACKS = (
    Attack(
        "a tensor that equals everything is compared outside, as plain numbers",
        caching("return torch.zeros(11, 16).as_subclass(Equal), torch.zeros(11).as_subclass(Equal)", top=ALWAYS_EQUAL),
        exercise=CACHING,
    ),
    Attack(
        "an object that forges its __class__ is no parameter",
        listing("return [Forged() for _ in range(8)]", top=FORGED_CLASS),
        exercise=LISTING,
    ),
    Attack(
        "an object that forges its __class__ is no tensor",
        caching("return Forged(), Forged()", top=FORGED_CLASS),
        exercise=CACHING,
    ),
    Attack(
        "torch.equal and torch.allclose that always agree decide nothing",
        freeze("pass", top="import torch\ntorch.equal = torch.allclose = torch.isclose = lambda *a, **k: True"),
    ),
    Attack(
        "patched builtins do not reach the judges",
        freeze("""
            import builtins
            builtins.all = builtins.any = builtins.isinstance = builtins.bool = lambda *a, **k: True
            builtins.sorted = lambda *a, **k: []
            builtins.len = lambda *a: 0
        """),
        statuses=(GRADED, ERROR, CRASHED),
    ),
    Attack(
        "a patched nn.Module shows the probe a model without parameters",
        freeze("""
            from torch import nn
            nn.Module.named_parameters = nn.Module.parameters = lambda self, *a, **k: iter(())
            nn.Module.state_dict = lambda self, *a, **k: {}
            nn.Module.__setattr__ = object.__setattr__
        """),
    ),
    Attack(
        "the bytes that a patched encoder sends are what is judged",
        freeze("""
            from course.judging import runner, wire
            encode = wire.encode
            wire.encode = runner.wire.encode = lambda value: encode({
                "requires_grad": {}, "state": {}, "typo": False, "on_module": False, "passed": True, "score": 4,
            })
        """),
    ),
    Attack(
        "a patched probe brings back nothing that passes",
        freeze("""
            from course.judging.exercise import find_exercise
            find_exercise("02-freeze-backbone").run_probe = lambda answer, case: True
        """),
    ),
    Attack(
        "a patched run_case cannot award points",
        freeze(
            "pass",
            top="""
            import course.judging.runner as runner
            from course.judging.runner import LocalRunner, Reply, wire
            LocalRunner.run_case = lambda self, *a: Reply(wire.encode({"passed": True, "score": 99, "points": 4}))
            """,
        ),
    ),
    Attack(
        "judges that are removed, or added, in the sandbox change nothing outside",
        freeze("""
            from course.judging.exercise import find_exercise
            exercise = find_exercise("02-freeze-backbone")
            exercise.judges.clear()
            exercise.time_limit_s = 1e9
        """),
    ),
    Attack(
        "a patched safetensors and torch.save write what they like and win nothing",
        freeze("""
            import safetensors.torch, torch
            save = safetensors.torch.save
            safetensors.torch.save = lambda tensors, metadata=None: save({}, metadata={"tree": "true"})
            torch.save = lambda *a, **k: None
        """),
    ),
    Attack(
        "printed scores are text",
        freeze("""
            print("02-freeze-backbone: 4 of 4 points\\nPASSED ok all tests passed\\n{\\"score\\": 100, \\"status\\": \\"graded\\"}")
            return "PASSED"
        """),
        says="4 of 4 points",
    ),
    Attack(
        "silenced tracebacks and a display hook that says ok are worth nothing",
        freeze("""
            import sys
            sys.tracebacklimit = 0
            sys.excepthook = lambda *a: None
            sys.displayhook("ok")
            sys.displayhook = sys.stdout.write = sys.stderr.write = lambda *a: 2
            raise AssertionError
        """),
    ),
    Attack(
        "an IPython transformer that takes out asserts has no asserts to take out",
        freeze(
            "pass",
            top="""
            import ast
            try:
                shell = get_ipython()
                shell.ast_transformers.append(type("Strip", (ast.NodeTransformer,), {"visit_Assert": lambda s, n: None})())
            except NameError:
                shell = None
            """,
        ),
    ),
    Attack("leaving with exit code 0 is no pass", freeze("import sys\nsys.exit(0)"), statuses=(ERROR,)),
    Attack("KeyboardInterrupt ends the answer alone", freeze("raise KeyboardInterrupt"), statuses=(ERROR,)),
    Attack("GeneratorExit ends the answer alone", freeze("raise GeneratorExit"), statuses=(ERROR,)),
    Attack(
        "an exception that attacks whoever shows it is shown as far as it goes",
        freeze(
            "raise Evil('<script>alert(1)</script>\\x1b[2J\\x00\\ud800\\u202e' + 'x' * 10**7)",
            top="""
            class Evil(Exception):
                def __repr__(self): raise SystemExit
                def __getattribute__(self, name):
                    if name in ("__traceback__", "__cause__", "__context__", "args"):
                        return super().__getattribute__(name)
                    raise SystemExit
            Evil.__name__ = Evil.__qualname__ = "<img src=x onerror=alert(1)>\\x1b[31m"
            """,
        ),
        statuses=(ERROR, CRASHED),
    ),
    Attack(
        "an exception whose text never ends is cut off by the clock",
        freeze("raise Slow", top="class Slow(Exception):\n    def __str__(self):\n        while True: pass"),
        statuses=(ERROR, TIMEOUT),
        slow=True,
    ),
    Attack(
        "an async answer is never awaited", "# exercise: 02-freeze-backbone\nasync def freeze(module):\n    return 4"
    ),
    Attack(
        "an answer that is an object with __call__ and lies about the rest scores what it does",
        "# exercise: 02-freeze-backbone\nclass Anything:\n    def __call__(self, *a): return self\n"
        "    def __getattr__(self, name): return self\nfreeze = Anything()",
    ),
    Attack(
        "a class whose metaclass answers for it scores what it does",
        "# exercise: 02-freeze-backbone\nclass Meta(type):\n    def __call__(cls, *a): return cls\n"
        "    def __instancecheck__(cls, other): return True\n    def __eq__(cls, other): return True\n"
        "    __hash__ = type.__hash__\nclass freeze(metaclass=Meta):\n    pass",
    ),
    Attack("a name that is no function is not called", "# exercise: 02-freeze-backbone\nfreeze = 4", statuses=(ERROR,)),
    Attack(
        "a generator without end is stopped",
        listing("import itertools\nreturn itertools.repeat(0)"),
        statuses=(ERROR, TIMEOUT, CRASHED),
        exercise=LISTING,
    ),
    Attack(
        "a list that is another at each look is looked at once",
        listing(
            "return Shifting(model.parameters())",
            top="""
            class Shifting(list):
                looks = 0
                def __iter__(self):
                    Shifting.looks += 1
                    return iter(list.__iter__(self)) if self.looks > 1 else iter(())
                def __len__(self): return -1
            """,
        ),
        exercise=LISTING,
    ),
    Attack(
        "NaN and infinities pass for nothing",
        caching("""
            import torch
            return torch.full((11, 16), float("nan"), requires_grad=True), torch.full((11,), float("inf"))
        """),
        exercise=CACHING,
    ),
    Attack(
        "a tensor of a thousand million copies of one number is not unfolded",
        caching("""
            import torch
            return torch.zeros(1).expand(10**9), torch.zeros(1, dtype=torch.int8).expand(10**12)
        """),
        exercise=CACHING,
    ),
    Attack(
        "meta, sparse, complex and quantised tensors carry no values",
        caching("""
            import torch
            x = torch.zeros(11, 16, device="meta", requires_grad=True)
            return x, torch.zeros(11, dtype=torch.complex64).to_sparse()
        """),
        exercise=CACHING,
    ),
    Attack(
        "tensors of no elements and enormous shapes are harmless",
        caching("""
            import torch
            return torch.empty(2**40, 0, requires_grad=True), torch.empty(0, 2**40)
        """),
        exercise=CACHING,
    ),
    Attack(
        "tensors that would broadcast to terabytes are never broadcast",
        caching("""
            import torch
            return torch.zeros(1, 4_000_000, requires_grad=True), torch.zeros(4_000_000, 1, dtype=torch.int64)
        """),
        exercise=CACHING,
    ),
    Attack(
        "a tensor whose storage was freed under it kills nobody else",
        caching("""
            import torch
            x = torch.zeros(11, 16)
            x.untyped_storage().resize_(0)
            return x, x
        """),
        statuses=(ERROR, CRASHED, GRADED),
        exercise=CACHING,
    ),
    Attack(
        "deep nesting and lists that hold themselves are refused",
        listing("""
            deep = []
            for _ in range(100_000): deep = [deep]
            deep.append(deep)
            return deep
        """),
        exercise=LISTING,
    ),
    Attack(
        "surrogates, NULs and escapes in names travel as text",
        listing(
            "return [type('\\ud800\\x00<script>\\x1b[2J\\u202e', (), {})()]",
        ),
        exercise=LISTING,
    ),
    Attack(
        "numbers with code inside are numbers, and nothing is unpickled",
        listing("return [Number(1), Number(2)]", top=EVIL_NUMBER),
        exercise=LISTING,
    ),
    Attack(
        "a loader and model that answer by themselves are the sandbox's copies",
        caching("""
            model.__class__.__call__ = lambda self, x: x
            return model(1), loader.dataset.tensors[1] * float("nan")
        """),
        statuses=(GRADED, ERROR),
        exercise=CACHING,
    ),
    Attack(
        "warnings that are errors, and warnings that are formatted by the answer, change nothing",
        freeze("""
            import warnings
            warnings.simplefilter("error")
            warnings.formatwarning = warnings.showwarning = lambda *a, **k: 1 / 0
            warnings.warn("4 of 4")
        """),
        statuses=(ERROR,),
    ),
)
