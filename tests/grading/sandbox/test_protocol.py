"""What comes out of the sandbox is a reply that the course could have written, or a WireError, at no cost in memory."""

import io
import json
import struct

import pytest
import torch

from course.errors import WireError
from course.grading.sandbox import protocol
from course.judging import wire
from course.judging.results import Failure, NotRun, Reply

ARTEFACTS = wire.encode({"x": torch.arange(3), "name": "é"})
FAILURE = {"kind": "error", "message": "m", "traceback": "t", "undefined": "", "lacks": ""}
NOT_RUN = {"message": "m", "names": ["x"], "essential": True, "undefined": "y", "lacks": ""}


class Reader:
    """Gives exactly what is asked for, as a socket does, and keeps the sizes."""

    def __init__(self, content):
        self.stream = io.BytesIO(content)
        self.asked = []

    def __call__(self, count):
        self.asked.append(count)
        part = self.stream.read(count)
        if len(part) < count:
            raise EOFError
        return part


def message(words, blob=b""):
    """A message with this JSON, or with these very bytes in its place; a dictionary has the parts that are not told."""
    if isinstance(words, dict) and "failure" in words:
        words = {"not_run": [], **words}
    text = words if isinstance(words, bytes) else json.dumps(words).encode()
    return struct.pack(">II", len(text), len(blob)) + text + blob


def reply_of(content):
    return protocol.unpack_reply(Reader(content))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(ARTEFACTS),
        Reply(ARTEFACTS, None, "", (NotRun("`x = y` did not run", ("x",), undefined="y"),)),
        Reply(ARTEFACTS, None, "printed é \x00 \x1b[31m 😀\n"),
        *(Reply(None, Failure(kind, "what\nhappened", "File …"), "p") for kind in protocol.KINDS),
    ],
)
def test_a_reply_comes_back_as_it_was(reply):
    assert reply_of(protocol.pack_reply(reply)) == reply


def test_a_request_and_its_cases_come_back_one_after_the_other():
    read = Reader(
        protocol.pack({"cells": ["x = '\ud800'"], "cases": 2}) + protocol.pack({}, b"first") + protocol.pack({}, b"")
    )
    assert protocol.unpack(read) == ({"cells": ["x = '\ud800'"], "cases": 2}, b"")
    assert [protocol.unpack(read)[1] for _ in range(2)] == [b"first", b""]
    assert read.stream.read() == b""


@pytest.mark.parametrize(
    "sizes", [(protocol.MAX_WORDS + 1, 0), (0, protocol.MAX_REPLY + 1), (2**32 - 1, 2**32 - 1), (2, 2**32 - 1)]
)
def test_a_message_that_is_too_large_is_refused_before_any_of_it_is_read(sizes):
    read = Reader(struct.pack(">II", *sizes) + b"{}")
    with pytest.raises(WireError, match="are allowed"):
        protocol.unpack_reply(read)
    assert read.asked == [8]


def test_nothing_is_asked_for_beyond_the_sizes_that_were_said():
    content = protocol.pack_reply(Reply(ARTEFACTS))
    read = Reader(content + b"more")
    protocol.unpack_reply(read)
    assert sum(read.asked) == len(content) and read.stream.read() == b"more"


@pytest.mark.parametrize("length", [0, 4, 7])
def test_half_a_size_ends_as_the_stream_does(length):
    with pytest.raises(EOFError):
        reply_of(message({"failure": None, "printed": ""}, ARTEFACTS)[:length])


WORDS = {
    "nothing": b"",
    "no JSON": b"[1, 2",
    "no UTF": b"\xff\xfe\xfd",
    "a number of many digits": b'{"failure": ' + b"9" * 10_000 + b', "printed": ""}',
    "deep nesting": b"[" * 200_000,
    "deep nesting, closed": b'{"failure":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a list": [],
    "a text": "failure",
    "null": None,
    "no parts": {},
    "no text": {"failure": None},
    "no failure": {"printed": ""},
    "a part too many": {"failure": None, "printed": "", "score": 3},
    "printed is no text": {"failure": None, "printed": 1},
    "printed is null": {"failure": None, "printed": None},
    "a failure that is a text": {"failure": "error", "printed": ""},
    "a failure that is a list": {"failure": ["kind", "message", "traceback"], "printed": ""},
    "a failure that is false": {"failure": False, "printed": ""},
    "an empty failure": {"failure": {}, "printed": ""},
    "a failure that lacks a part": {"failure": {"kind": "error", "message": ""}, "printed": ""},
    "a failure with a part too many": {"failure": {**FAILURE, "score": 3}, "printed": ""},
    "a kind that is unknown": {"failure": {**FAILURE, "kind": "passed"}, "printed": ""},
    "a kind that only the grader says": {"failure": {**FAILURE, "kind": "tampered"}, "printed": ""},
    "a crash that is only said": {"failure": {**FAILURE, "kind": "crashed"}, "printed": ""},
    "a kind that is a list": {"failure": {**FAILURE, "kind": ["error"]}, "printed": ""},
    "a message that is a number": {"failure": {**FAILURE, "message": 1}, "printed": ""},
    "a busy machine that only the grader sees": {"failure": {**FAILURE, "kind": "busy"}, "printed": ""},
    "a missing library that only the grader says": {"failure": {**FAILURE, "kind": "lacking"}, "printed": ""},
    "statements that are no list": {"failure": None, "printed": "", "not_run": {}},
    "too many statements": {"failure": None, "printed": "", "not_run": [NOT_RUN] * 1000},
    "a statement that is a text": {"failure": None, "printed": "", "not_run": ["x"]},
    "a statement that lacks a part": {"failure": None, "printed": "", "not_run": [{"message": "m"}]},
    "a statement with a part too many": {"failure": None, "printed": "", "not_run": [{**NOT_RUN, "score": 3}]},
    "names that are no texts": {"failure": None, "printed": "", "not_run": [{**NOT_RUN, "names": [3]}]},
    "a traceback that is null": {"failure": {**FAILURE, "traceback": None}, "printed": ""},
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_words_that_the_course_does_not_write_are_refused(words):
    with pytest.raises(WireError):
        reply_of(message(words))


BLOBS = {
    "none": b"",
    "garbage": b"\x00" * 100,
    "a pickle": b"\x80\x04\x95" + b"." * 50,
    "a header larger than all": struct.pack("<Q", 2**60) + b"{}",
    "cut off": ARTEFACTS[:-1],
    "too long": ARTEFACTS + b"\0",
}


@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS.keys())
def test_artefacts_that_the_course_does_not_write_are_refused(blob):
    with pytest.raises(WireError):
        reply_of(message({"failure": None, "printed": ""}, blob))


def test_a_failure_brings_no_artefacts():
    with pytest.raises(WireError):
        reply_of(message({"failure": FAILURE, "printed": ""}, ARTEFACTS))


def test_texts_are_cut_and_hold_no_lone_surrogate():
    failure = {**FAILURE, "message": "\ud800" * 10_000, "traceback": "x" * 10_000}
    reply = reply_of(message({"failure": failure, "printed": "a\udfffb" * 5_000}))
    texts = (reply.printed, reply.failure.message, reply.failure.traceback)
    assert all(len(text) <= 4_000 for text in texts)
    assert "".join(texts).encode("utf-8")  # what a file and a database want


def test_a_reply_that_the_course_writes_always_fits():
    long = "\U0001f600" * 4_000  # twelve bytes each in JSON
    assert reply_of(protocol.pack_reply(Reply(None, Failure("error", long, long), long))).printed == long
    most = wire.encode({"x": torch.zeros(wire.MAX_BYTES // 4 - 1)})
    assert reply_of(protocol.pack_reply(Reply(most))).artefacts == most
