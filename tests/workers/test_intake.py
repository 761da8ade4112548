"""Reading cases: what is one and what are many, how much memory it takes; durations as people write them."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import tracemalloc
from datetime import timedelta

import pytest

from tests.patience import PATIENCE
from tests.workers.conftest import COMMAND, clean_environment
from workers.intake import Source, cases, opened
from workers.pages.words import read_span, short_span, span
from workunits.core.errors import BadInput
from workunits.core.strict_json import VALUE_LIMIT


@pytest.mark.parametrize(
    ("content", "many", "count"),
    [
        ('{"a": 1}', False, 1),
        ('\n\n{"a": 1}\n\n', False, 1),
        ('{\n"a": {\n"b": 1}}', False, 1),
        ('{"a": 1}\n{"a": 2}\n', True, 2),
        ('{"a": 1\n{"a": 2}\n', True, 2),
        ('{"a": 1}\nnonsense', True, 2),
        ("nonsense\nnonsense", False, 1),
        ('[{"a": 1},\n{"a": 2}]', False, 1),
        ("", False, 0),
    ],
)
async def test_the_input_says_whether_it_is_one_case_or_many(tmp_path, content, many, count):
    """Several lines, and one of the first two an object by itself, are a case per line."""
    (tmp_path / "input").write_text(content)

    with opened(str(tmp_path / "input")) as source:
        said, lines = await cases(source)

        assert (said, len([line async for line in lines])) == (many, count)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (("start", "refund_request", "--input", "-"), "--input"),
        (("tasks", "complete", "refund_request:1/decide", "--input", "-"), "--input"),
        (("incidents", "resolve", "refund_request:1", "decide", "--result", "-", "--reason", "x"), "--result"),
    ],
    ids=lambda given: given if isinstance(given, str) else given[0],
)
def test_a_closed_stdin_is_a_mistake_in_the_usage(shell, command, field):
    """`<&-` leaves nothing to read: the option is named, with what to do instead."""
    line = shlex.join([*COMMAND, *command, "--json"])
    ended = subprocess.run(
        ["/bin/sh", "-c", f"exec {line} <&-"],
        cwd=shell.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    error = json.loads(ended.stderr)["error"]

    assert (ended.returncode, error["field"]) == (2, field)
    assert error["message"] == f"{field}: stdin is closed, so there is nothing to read; pipe it in, or name a file"


async def test_an_endless_line_costs_no_memory():
    """Of a line that is too long only the length is kept, and the next one is read as ever."""
    reader, writer = os.pipe()
    size = 30_000_000

    def write():
        with os.fdopen(writer, "wb") as file:
            for _ in range(size // 50_000):
                file.write(b"x" * 50_000)
            file.write(b'\n{"a": 1}\n')

    tracemalloc.start()
    try:
        writing = asyncio.create_task(asyncio.to_thread(write))
        lines = [line async for line in Source(reader, "stdin", None).lines()]
        await writing
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.close(reader)

    assert lines[0].fault.startswith(f"{size} bytes, at most {VALUE_LIMIT}")
    assert (lines[1].number, lines[1].data, len(lines)) == (2, b'{"a": 1}', 2)
    assert peak < 3 * VALUE_LIMIT


@pytest.mark.parametrize(
    ("seconds", "said", "short"),
    [
        (0, "0 ms", "0 ms"),
        (0.0001, "<1 ms", "<1 ms"),
        (0.04, "40 ms", "40 ms"),
        (7.9, "7 s", "7 s"),
        (310, "5 min 10 s", "5 min"),
        (7200, "2 h", "2 h"),
        (12_000, "3 h 20 min", "3 h 20 min"),
        (86_340, "23 h 59 min", "23 h"),
        (-187_200, "2 d 4 h", "2 d 4 h"),
        (86_405, "1 d", "1 d"),
    ],
)
def test_durations_in_words(seconds, said, short):
    """The two largest units, and in a table no more than tells the cases apart."""
    assert (span(timedelta(seconds=seconds)), short_span(timedelta(seconds=seconds))) == (said, short)


def test_durations_are_read_as_people_write_them():
    """Units may be put together; anything else is refused with examples."""
    most = timedelta(days=30)

    assert read_span("1d12h", field="--delay", at_most=most) == timedelta(days=1, hours=12)
    assert read_span(" 1.5 h 30s", field="--delay", at_most=most) == timedelta(hours=1.5, seconds=30)
    for text in ("", "5", "5 x", "-5s", "1h ago"):
        with pytest.raises(BadInput, match="--delay: write a duration such as 90s"):
            read_span(text, field="--delay", at_most=most)
    with pytest.raises(BadInput, match="at most 30 d"):
        read_span("999999999d", field="--delay", at_most=most)


async def test_a_full_pipe_is_not_watched_while_nobody_reads():
    """Starts under way go on undisturbed: the loop would otherwise be called for the same bytes again and again."""
    reader, writer = os.pipe()
    os.write(writer, b'{"a": 1}\n{"a": 2}\n')
    pieces = Source(reader, "stdin", None).pieces()

    first = await anext(pieces)
    os.write(writer, b"more")
    watched = asyncio.get_running_loop().remove_reader(reader)
    os.close(writer)
    rest = [piece async for piece in pieces]
    os.close(reader)

    assert (first, rest, watched) == (b'{"a": 1}\n{"a": 2}\n', [b"more"], False)
