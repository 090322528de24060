"""Replies that no probe wrote: an answer finds the socket that its process answers on."""

# ruff: noqa: E501  (programs within strings)

from __future__ import annotations

from tests.hostile.attacks import CRASHED, ENDED, ERROR, GRADED, LISTING, TAMPERED, TIMEOUT, Attack, freeze, listing

FIND = """
import os, socket, stat, struct, json, time
def answers_socket():
    for number in range(1024):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            pass
def send(data):
    number = answers_socket()
    while data:
        data = data[os.write(number, data):]
def frame(words, blob=b""):
    words = words if isinstance(words, bytes) else json.dumps(words).encode()
    send(struct.pack(">II", len(words), len(blob)) + words + blob)
def words(**failure):
    return {"failure": failure or None, "printed": ""}
def wire(tree, tensors=None):
    import safetensors.torch
    return safetensors.torch.save(tensors or {}, metadata={"tree": json.dumps(tree)})
"""
CLAIMS = '{"$dict": {"requires_grad": {"$dict": {}}, "state": {"$dict": {}}, "score": 4, "passed": true}}'


def forged(name: str, body: str, statuses: tuple[str, ...] = (TAMPERED,), **more: object) -> Attack:
    return Attack(name, freeze(body, top=FIND), statuses, **more)  # type: ignore[arg-type]


ATTACKS = (
    forged("garbage in every file that is open", """
        for number in range(1024):
            try: os.write(number, b"\\xff" * 4096)
            except OSError: pass
    """),
    forged("a forged reply that claims full marks", f"""
        for _ in range(2): frame(words(), wire({CLAIMS.replace("true", "True")}))
        os._exit(0)
    """, (GRADED, ERROR, CRASHED, TAMPERED)),
    forged("a forged reply before the true one", f"frame(words(), wire({CLAIMS.replace('true', 'True')}))", (TAMPERED, GRADED)),
    forged("more replies than were asked for", "for _ in range(100): frame(words(), wire(None))"),
    forged("a frame that claims 400 MB", "send(struct.pack('>II', 100, 400_000_000))"),
    forged("400 MB that are really sent", """
        send(struct.pack(">II", 100, 400_000_000))
        for _ in range(400): send(b"x" * 1_000_000)
    """, (TAMPERED, CRASHED)),
    forged("the socket is closed", "os.close(answers_socket()); time.sleep(0.2)", (CRASHED,)),
    forged("the socket is shut down in one direction", "socket.socket(fileno=answers_socket()).shutdown(socket.SHUT_WR)", (CRASHED,)),
    forged("the socket is replaced by a file", "os.dup2(os.open(os.devnull, os.O_RDWR), answers_socket())", (CRASHED,)),
    forged("half a frame, and silence", """
        send(struct.pack(">II", 100, 100))
        while True:
            try: time.sleep(100)
            except BaseException: pass
    """, (TIMEOUT, TAMPERED), slow=True),
    forged("one byte at a time for ever", """
        import threading
        send(struct.pack(">II", 200_000, 0))
        def drip():
            while True: send(b" "); time.sleep(0.05)
        threading.Thread(target=drip, daemon=True).start()
        while True:
            try: time.sleep(100)
            except BaseException: pass
    """, (TIMEOUT, TAMPERED), slow=True),
    forged("JSON nested deeper than any stack", "frame(b'[' * 100_000 + b']' * 100_000)"),
    forged("JSON with a number of 200,000 digits", "frame(b'{\"failure\": null, \"printed\": ' + b'9' * 200_000 + b'}')"),
    forged("JSON that is a list", "frame([])"),
    forged("JSON with other keys", "frame({'failure': None, 'printed': '', 'score': 4})"),
    forged("a printed text that is no text", "frame({'failure': None, 'printed': ['x']}, wire(None))"),
    forged("a failure of the machinery, claimed", """
        frame(words(kind="machinery failure", message="ours", traceback=""))
    """),
    forged("a crash, claimed", "frame(words(kind='crashed', message='not me', traceback=''))"),
    forged("a failure with a tensor", "frame(words(kind='error', message='x', traceback=''), wire(None))"),
    forged("a failure whose message is a page of HTML and escapes", """
        frame(words(kind="error", message="<script>alert(1)</script>\\x1b[2J\\x00\\ud800" * 1000, traceback="\\u202e"))
        os._exit(0)
    """, (ERROR, TAMPERED)),
    forged("artefacts that are no safetensors", "frame(words(), b'x' * 1000)"),
    forged("a header as long as the limit, full of empty lists", """
        head = b'{"__metadata__": {"tree": "null"}, "x": [' + b"[]," * 5_000_000 + b"[]]}"
        frame(words(), struct.pack("<Q", len(head)) + head)
    """, (TAMPERED, CRASHED)),
    forged("a tree as long as the limit, full of empty lists", """
        import safetensors.torch
        frame(words(), safetensors.torch.save({}, metadata={"tree": "[" + "[]," * 2_700_000 + "[]]"}))
    """, (TAMPERED, CRASHED)),
    forged("100,000 tensors of nothing", """
        head = {str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
        head["__metadata__"] = {"tree": json.dumps([{"$tensor": str(i)} for i in range(100_000)])}
        head = json.dumps(head).encode()
        frame(words(), struct.pack("<Q", len(head)) + head)
        os._exit(0)
    """, (TAMPERED, GRADED, ERROR, CRASHED, TIMEOUT)),
    forged("tensors that overlap, lie beyond the end, or have negative sizes", """
        for shape, place in (([4], [0, 16]), ([-4], [0, 16]), ([2**62, 4], [0, 0]), ([4], [8, 24])):
            head = json.dumps({"0": {"dtype": "F32", "shape": shape, "data_offsets": place}}).encode()
            frame(words(), struct.pack("<Q", len(head)) + head + bytes(8))
    """),
    forged("a pickle in the place of the tensors", """
        import pickle
        class Boom:
            def __reduce__(self): return os.system, ("touch /tmp/hostile7f3a9c",)
        frame(words(), pickle.dumps(Boom()))
    """),
    forged("a number beyond every float, bare NaN, unknown kinds", """
        for tree in ("1e999", "NaN", '{"$python": "os.system"}', '{"$tensor": "7"}', '{"$other": {}}', "1" + "0" * 400):
            import safetensors.torch
            frame(words(), safetensors.torch.save({}, metadata={"tree": tree}))
    """),
    forged("files are sent along with the reply", """
        import array
        given = socket.socket(fileno=answers_socket())
        inside, outside = socket.socketpair()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [inside.fileno(), 0, 1, 2] * 10))]
        for _ in range(20): given.sendmsg([b"\\0"], rights)
        given.detach()
    """, (TAMPERED, CRASHED)),
    forged("the request is read again, and answered twice", """
        given = socket.socket(fileno=os.dup(answers_socket()))
        given.setblocking(False)
        try: print("more came:", len(given.recv(10**6)))
        except OSError: print("nothing more came")
        given.close()
    """, (GRADED, ERROR, CRASHED), says="nothing more came"),
    forged("a forked child goes on answering", """
        if os.fork() == 0:
            while True: frame(words(), wire(None)); time.sleep(0.01)
        time.sleep(0.1)
    """, ENDED),
    Attack("a column of a million numbers where names belong", listing("""
        import torch
        for _ in range(2):
            frame(words(), wire({"$dict": {"names": {"$tensor": "0"}}}, {"0": torch.zeros(1_000_000, 1)}))
        os._exit(0)
    """, top=FIND), exercise=LISTING),
)  # fmt: skip
