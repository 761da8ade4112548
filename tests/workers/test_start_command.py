"""`start` on a real engine: one case or many, and what it says of whatever does not fit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.patience import PATIENCE
from tests.workers.conftest import COMMAND, CONTRACTS, PACKAGE, PERFORMERS, UNIT, clean_environment
from tests.workers.terminal import refund, terminal, waits
from workunits.core.strict_json import VALUE_LIMIT


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine; no worker polls its queue, so a case stays in its first step."""
    env = clean_environment(TEMPORAL_ADDRESS=engine.address.host, WORKUNITS_QUEUE="unserved")
    with terminal(tmp_path_factory.mktemp("start"), env) as opened:
        yield opened


# --- start one --------------------------------------------------------------------------------------------------------


def test_start_says_what_it_started(desk):
    """A document is one case, however many lines it has."""
    case = refund()

    ended = desk.run("start", "refund_request", "--input", desk.write("pretty.json", json.dumps(case, indent=2)))

    assert (ended.code, ended.out) == (0, f"refund_request:{case['request']} started\n")


def test_input_47_second_start_of_a_key(desk):
    """The same input is there already; another one is refused, and names the case that is in the way."""
    case = refund()
    desk.start(case)

    again = desk.run("start", "refund_request", "--json", "--input", desk.write("again.json", case))
    other = desk.write("other.json", case | {"cause": "other"})
    refused = desk.run("start", "refund_request", "--input", other)
    refused_json = desk.run("start", "refund_request", "--json", "--input", other)

    assert (again.code, again.json["existing"], again.json["cases"][0]["existing"]) == (0, 1, True)
    assert refused.code == refused_json.code == 4
    assert f"case refund_request:{case['request']} exists" in refused.err
    assert "another input" in refused.err
    assert refused_json.json["errors"][0]["case"] == f"refund_request:{case['request']}"
    assert refused_json.error["code"] == "duplicate"


def test_inputs_5_to_7_every_misfit_is_named_at_once(desk):
    """Missing, unknown and of the wrong type: each field with what was expected, and no value repeated."""
    case = refund(amount="a secret", admin=True)
    del case["cause"]

    ended = desk.run("start", "refund_request", "--input", desk.write("misfit.json", case))

    assert ended.code == 2
    assert "amount: Input should be an object" in ended.err
    assert "cause: Field required" in ended.err
    assert "admin: Extra inputs are not permitted" in ended.err
    assert "secret" not in ended.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "the input is empty", id="input_1_nothing"),
        pytest.param(b"null", "should be an object", id="input_3_null"),
        pytest.param(b'[\n{"a": 1},\n{"a": 2}\n]', "a list is no case; write one case per line", id="input_3_list"),
        pytest.param(b'{\n "a": 1,\n}', "not JSON: ", id="input_4_not_json"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', "a byte order mark; save it as UTF-8 without", id="input_4_mark"),
        pytest.param('{"a": "ü"}'.encode("latin-1"), "not UTF-8, from byte 8 on", id="input_4_latin_1"),
        pytest.param(b'{"a": NaN}', "NaN is not JSON", id="input_8_nan"),
        pytest.param(b'{"a": 9223372036854775808}', "an integer over 64 bits", id="input_9_64_bits"),
        pytest.param(b'{"a": "\0"}', "a NUL byte", id="input_10_nul"),
        pytest.param(b'{"a": "\\ud800"}', "a: a control character or a lone surrogate", id="input_10_surrogate"),
        pytest.param(b"[" * 40 + b"]" * 40, "a list is no case", id="input_11_deep_list"),
        pytest.param(b'{"a": ' * 40 + b"1" + b"}" * 40, "deeper than 32 levels", id="input_11_deep"),
        pytest.param(b'"' + b"x" * 10_000_000 + b'"', "10000002 bytes, at most 524288", id="input_13_large"),
    ],
)
def test_what_is_no_case_is_refused(desk, content, said):
    """Whatever the file holds, the command says what is wrong with it, and starts nothing."""
    ended = desk.run("start", "refund_request", "--input", desk.write("odd.json", content))

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_input_40_unknown_unit(desk):
    """A mistyped unit is answered with near names."""
    ended = desk.run("start", "refund_reqest", "--json", "--input", "nothing.json")

    assert ended.code == 2
    assert ended.error["code"] == "unknown_unit"
    assert "did you mean refund_request" in ended.error["message"]


def test_a_file_that_is_not_there(desk):
    """Named, with exit code 2."""
    ended = desk.run("start", "refund_request", "--input", "none.json")

    assert (ended.code, ended.err) == (2, "workunits: No such file or directory: none.json\n")


def test_a_delayed_case_begins_later(desk):
    """The list and the case say when it begins, and its clock runs from then."""
    case = refund()
    file = desk.write("delayed.json", case)

    ended = desk.run("start", "refund_request", "--input", file, "--delay", "1h 30 min")
    row = desk.listed(case["request"], "--state", "running")
    said = desk.run("show", case["request"], "--json").json

    assert ended.code == 0
    assert row.endswith("begins in 1 h 29 min")
    assert datetime.fromisoformat(said["started"]) - datetime.now(UTC) > timedelta(minutes=89)
    assert timedelta(seconds=said["sla"]["left_seconds"]) > timedelta(days=3, minutes=89)


def test_a_unit_without_a_key_of_its_own_needs_one(desk):
    """The key comes from the command line, one case at a time, and is fit for an id (inputs 41 and 42)."""
    loans = desk.folder / "loans"
    loans.mkdir()
    unit = UNIT.replace(', key="request"', "").replace("hours=24", "seconds=0.01")
    parts = {"__init__": "", "contracts": CONTRACTS, "unit": unit, "performers": PERFORMERS, "package": PACKAGE}
    for name, text in parts.items():
        (loans / f"{name}.py").write_text(text)
    one, two = desk.write("loan.json", {"request": "x"}), desk.write("loans.jsonl", '{"request": "x"}\n')

    def begin(file, *key):
        where = {"WORKUNITS_MODULES": "loans.package"}
        return desk.run("start", "loan", "--input", file, *key, **where)

    keyless, many = begin(one), begin(two, "--key", "K-1")
    odd = [begin(one, "--key", key) for key in ("a/b", "../../etc/passwd", "a\nb", "x" * 121)]
    good = begin(one, "--key", "K-1")
    row = desk.listed("loan:K-1", "--unit", "loan", WORKUNITS_MODULES="loans.package")

    assert keyless.code == many.code == 2
    assert "takes no key from its case: give one" in keyless.err
    assert "--key names one case" in many.err
    assert [ended.code for ended in odd] == [2] * 4
    assert all("1 to 120 letters, digits and . _ @ + = -" in ended.err for ended in odd)
    assert good.out == "loan:K-1 started\n"
    # Lateness is said in words: colours get lost in a pipe. Its budget was 10 ms.
    assert "OVERDUE" in row


# --- start many -------------------------------------------------------------------------------------------------------


def test_good_lines_start_and_bad_ones_are_named(desk):
    """Malformed lines are named with number and reason, the others start, and the exit code says: partly."""
    good, taken = [refund() for _ in range(3)], refund()
    desk.start(taken)
    lines = [
        json.dumps(good[0]),
        json.dumps(good[0])[:-9],
        json.dumps(refund(amount={"minor": "x", "currency": "EUR"})),
        "",
        json.dumps(refund()) + "\0",
        json.dumps(taken),
        json.dumps(taken | {"cause": "other"}),
        "x" * (VALUE_LIMIT + 1),
        json.dumps(good[1]) + "\r",
        json.dumps(good[2]),
        "",
        "",
    ]
    file = desk.write("mixed.jsonl", "\n".join(lines))

    ended = desk.run("start", "refund_request", "--input", file)
    again = desk.run("start", "refund_request", "--input", file, "--json")

    assert (ended.code, ended.out) == (5, "3 started, 1 there already, 6 refused\n")
    said = ended.err.splitlines()
    assert said[0].startswith("line 2: not JSON: ")
    assert said[1] == "line 3: amount.minor: Input should be a valid integer"
    assert said[2:4] == ["line 4: an empty line; remove it", "line 5: a NUL byte"]
    assert said[4].startswith(f"line 7: case refund_request:{taken['request']} exists ")
    assert said[5].startswith("line 8: 524289 bytes, at most 524288 are taken")
    assert again.code == 5
    assert (again.json["started"], again.json["existing"], again.json["failed"]) == (0, 4, 6)
    assert [entry["line"] for entry in again.json["cases"]] == [1, 6, 9, 10]
    assert [(entry["line"], entry["code"]) for entry in again.json["errors"]] == [
        (2, "bad_body"),
        (3, "invalid_field"),
        (4, "bad_body"),
        (5, "bad_body"),
        (7, "duplicate"),
        (8, "too_large"),
    ]
    assert again.json["errors"][1]["field"] == "amount.minor"


def test_the_first_line_of_a_key_is_started(desk):
    """Many lines are under way at a time; which one of a key wins is settled by the file, not by a race."""
    cases = [refund() for _ in range(8)]
    lines = [json.dumps(case | {"details": f"{number}"}) for case in cases for number in range(4)]
    file = desk.write("twice.jsonl", "\n".join(lines))

    ended = desk.run("start", "refund_request", "--input", file, "--json")

    assert ended.code == 5
    assert [entry["line"] for entry in ended.json["cases"]] == list(range(1, 33, 4))
    assert {entry["code"] for entry in ended.json["errors"]} == {"duplicate"}


def test_many_from_stdin_without_a_word_about_it(desk):
    """Lines on stdin are many cases; the same again starts nothing."""
    lines = "\n".join(json.dumps(refund()) for _ in range(70)).encode()

    ended = desk.run("start", "refund_request", "--input", "-", stdin=lines)
    again = desk.run("start", "refund_request", "--input", "-", stdin=lines)

    assert (ended.code, ended.out, ended.err) == (0, "70 started\n", "")
    assert (again.code, again.out) == (0, "0 started, 70 there already\n")


def test_nothing_but_bad_lines(desk):
    """When no line is good, nothing was done: exit code 2; 4 when all were duplicates."""
    case = refund()
    desk.start(case)
    bad = desk.run("start", "refund_request", "--jsonl", "--input", desk.write("bad", "{}\n{}\n"))
    taken = json.dumps(case | {"cause": "other"})
    duplicates = desk.run("start", "refund_request", "--jsonl", "--input", desk.write("taken", taken))

    assert (bad.code, bad.out) == (2, "0 started, 2 refused\n")
    assert (duplicates.code, duplicates.out) == (4, "0 started, 1 refused\n")


def test_ctrl_c_says_how_far_it_came(desk):
    """Stopped in the middle, the command says what it started, and that the same input may be given again."""
    process = subprocess.Popen(
        [*COMMAND, "start", "refund_request", "--jsonl", "--input", "-"],
        cwd=desk.folder,
        env=desk.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        case = refund()
        assert process.stdin
        os.write(process.stdin.fileno(), "".join(json.dumps(c) + "\n" for c in (case, refund())).encode())
        waits(lambda: not desk.run("show", case["request"]).code)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()

    assert (process.returncode, out) == (130, b"")
    assert err.startswith(b"Stopped: ")
    assert b"Give the same input again: what was started is left alone." in err
    assert b"Traceback" not in err
