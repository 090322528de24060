"""What the notebook's other cells, and the answer's own definition, do before the answer is called."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from tests.hostile.attacks import CRASHED, ENDED, ERROR, GRADED, NOT_ATTEMPTED, TIMEOUT, Attack, freeze
from tests.hostile.trial import MARK

ANY = (GRADED, ERROR, NOT_ATTEMPTED, *ENDED)
NOTHING = freeze("pass")
USES_ALL = freeze("return " + ", ".join(f"a{number}" for number in range(1000)))

ATTACKS = (
    Attack(
        "a module that stands in for torch is looked up by nobody outside",
        freeze("import torch\nreturn torch.anything"),
        ANY,
        before=(
            "import sys\nclass Fake:\n    def __getattr__(self, name): return lambda *a, **k: True\n"
            "sys.modules['torch'] = Fake()\nimport torch",
        ),
        spares_the_rest=False,
    ),
    Attack(
        "an import hook that forges modules",
        freeze("import numpy_of_the_answer\nreturn sys"),
        ANY,
        before=(
            "import sys\nclass Hook:\n    def find_spec(self, name, path=None, target=None): raise SystemExit\n"
            "sys.meta_path = [Hook()]\nsys.path_hooks.clear()",
        ),
        spares_the_rest=False,
    ),
    Attack(
        "PYTHONPATH, sys.path and a module written beside",
        freeze("import torch.nn\nreturn os, sys, written, torch.nn"),
        before=(
            f"import os, sys\nwritten = open('torch.py', 'w').write('open(\"/tmp/{MARK}\", \"w\")')\n"
            "os.environ['PYTHONPATH'] = '.'\nsys.path = ['.', *sys.path]",
        ),
        spares_the_rest=False,
        statuses=ANY,
    ),
    Attack(
        "a sitecustomize written to where Python looks",
        freeze(
            f"import os, site, sys\nfor folder in (*sys.path, site.getusersitepackages(), os.getcwd()):\n"
            f"    for name in ('sitecustomize.py', 'usercustomize.py', '{MARK}.pth'):\n"
            "        try: open(os.path.join(folder, name), 'w').write('import os; os._exit(0)')\n"
            "        except OSError: pass",
        ),
    ),
    Attack(
        "a thousand statements that sleep are given up together",
        USES_ALL,
        ANY,
        before=("import time\n" + "\n".join(f"a{number} = time.sleep(0.5)" for number in range(1000)),),
        slow=True,
    ),
    Attack(
        "a statement without end is given up",
        freeze("return endless"),
        ANY,
        before=("def forever():\n    while True: pass\nendless = forever()",),
        slow=True,
    ),
    Attack(
        "a decorator that ends the process",
        "# exercise: 02-freeze-backbone\nimport os\n@lambda function: os._exit(0)\ndef freeze(module): pass",
        (CRASHED,),
        spares_the_rest=False,
    ),
    Attack(
        "a decorator that waits for ever",
        "# exercise: 02-freeze-backbone\nimport time\n@lambda function: time.sleep(1000)\ndef freeze(module): pass",
        (TIMEOUT, NOT_ATTEMPTED, ERROR),
        spares_the_rest=False,
        slow=True,
    ),
    Attack(
        "default arguments, class bodies and metaclasses that attack when they are read",
        "# exercise: 02-freeze-backbone\n"
        "class Meta(type):\n    def __new__(cls, *a): __import__('os').kill(1, 9); return super().__new__(cls, *a)\n"
        "class Body(metaclass=Meta):\n    import sys; sys.modules['course.judging.wire'] = None; [].append(sys.exit)\n"
        "def freeze(module, x=__import__('sys').modules.clear()): return module",
        ANY,
        spares_the_rest=False,
    ),
    Attack(
        "the names that Python itself uses are bound",
        freeze("return print, __builtins__, __name__"),
        ANY,
        before=(
            "__builtins__ = {}",
            "__name__ = 'course.judging.runner'",
            "__build_class__ = print = isinstance = None",
        ),
        spares_the_rest=False,
    ),
    Attack(
        "shell lines, magics and cells of other languages are not run",
        NOTHING,
        before=(
            f"!touch /tmp/{MARK}\n%run /tmp/x.py\nfiles = !ls /",
            f"%%bash\ntouch /tmp/{MARK}\nkill -9 -1",
            f"%%writefile /tmp/{MARK}.py\nx",
            f"get_ipython().system('touch /tmp/{MARK}')",
        ),
    ),
    Attack(
        "experiments at the top of a cell are not run",
        NOTHING,
        before=(f"open('/tmp/{MARK}', 'w')\nraise SystemExit", "while True: pass", "import os; os._exit(0)"),
        after=("import os\nos.kill(os.getppid(), 9)", "exit()"),
    ),
    Attack(
        "the exercise's cell that runs the answer itself",
        freeze("pass") + "\nfreeze(None)\nwhile True: pass\nraise SystemExit(0)\n",
    ),
    Attack(
        "names, messages and sources full of HTML, escapes and spreadsheets' formulas",
        freeze(
            "raise Exception('=cmd|\\'/c calc\\'!A1 <img src=x onerror=alert(1)> \\x1b]0;title\\x07\\x1b[2J\\r\\n{{7*7}}')",
        )
        + "# </script><script>alert(1)</script> \u202e \u2028 </pre> ]]> <!-- {% raw %}\n",
        (ERROR,),
        says="onerror",
    ),
    Attack(
        "a copy of the library's function refuses as the library's does",
        freeze("import course.models\nreturn course.models.freeze(module)"),
        (ERROR,),
    ),
    Attack(
        "a syntax error with a bomb inside is text",
        "# exercise: 02-freeze-backbone\ndef freeze(module:\n    " + "(" * 5000 + "-" * 5000,
        (ERROR,),
    ),
    Attack(
        "an expression too deep for the compiler",
        "# exercise: 02-freeze-backbone\ndef freeze(module):\n    return " + "-" * 50_000 + "1",
        (ERROR, NOT_ATTEMPTED),
    ),
    Attack(
        "a sum too long for the compiler",
        "# exercise: 02-freeze-backbone\ndef freeze(module):\n    return " + "+".join(["1"] * 50_000),
        (ERROR, NOT_ATTEMPTED, GRADED, CRASHED),
    ),
    Attack(
        "a name that is bound a hundred thousand times",
        freeze("return x"),
        before=("\n".join("x = 1" for _ in range(20_000)),),
        statuses=ANY,
        slow=True,
        spares_the_rest=False,
    ),
)
