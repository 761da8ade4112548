"""`start`, `list`, `show` and `cancel` on a real engine: what they do, and what they say of whatever does not fit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import tracemalloc
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from tests.workers.conftest import COMMAND, CONTRACTS, PACKAGE, PATIENCE, PERFORMERS, UNIT, clean_environment
from tests.workers.terminal import terminal
from workers.intake import Source, cases, opened
from workers.ports import free_ports
from workers.words import read_span, short_span, span
from workunits.core.errors import BadInput
from workunits.core.strict_json import VALUE_LIMIT

UNSERVED = "unserved"
"""A queue that no worker polls: what is started there stays in its first step."""


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker."""
    folder = tmp_path_factory.mktemp("cases")
    env = clean_environment(
        TEMPORAL_ADDRESS=engine.address.host, WORKUNITS_QUEUE="cases-commands", WORKUNITS_DATA=str(folder / "data")
    )
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen([*COMMAND, "worker", "--unversioned"], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            with terminal(folder, env) as opened:
                yield opened
        finally:
            worker.terminate()
            worker.wait(PATIENCE)


def request(order="R-1001", **more):
    """A refund request with a number of its own; the policy pays R-1001 and asks a person about R-1017."""
    return {
        "request": f"RR-{uuid.uuid4().int % 10**12}",
        "order": order,
        "amount": {"minor": 100 if order == "R-1001" else 15900, "currency": "EUR"},
        "cause": "damaged",
        "requested_on": "2025-06-02",
        "email": "ana@example.com" if order == "R-1001" else "quinn@example.com",
        **more,
    }


def start(desk, case, **variables):
    """Start one case and give its id."""
    ended = desk.run("start", "refund_request", "--json", "--input", desk.write("case.json", case), **variables)
    assert ended.code == 0
    return ended.json["cases"][0]["case"]


def shown(desk, case, until=lambda said: said["state"] == "waiting"):
    """A case as `show --json` says, once it is as far as that."""
    deadline = time.monotonic() + PATIENCE
    while not until(said := desk.run("show", case, "--json").json):
        assert time.monotonic() < deadline, said
    return said


# --- start one --------------------------------------------------------------------------------------------------------


def test_start_says_what_it_started(desk):
    """A document is one case, however many lines it has."""
    case = request()

    ended = desk.run("start", "refund_request", "--input", desk.write("pretty.json", json.dumps(case, indent=2)))

    assert (ended.code, ended.out) == (0, f"refund_request:{case['request']} started\n")


def test_input_47_second_start_of_a_key(desk):
    """The same input is there already; another one is refused, and names the case that is in the way."""
    case = request()
    start(desk, case)

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
    case = request(amount="a secret", admin=True)
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
    case = request()
    file = desk.write("delayed.json", case)

    ended = desk.run("start", "refund_request", "--input", file, "--delay", "1h 30 min")
    listed = desk.run("list", "--state", "running").out
    said = desk.run("show", case["request"], "--json").json

    assert ended.code == 0
    assert [row for row in listed.splitlines() if case["request"] in row][0].endswith("begins in 1 h 29 min")
    assert datetime.fromisoformat(said["started"]) - datetime.now(UTC) > timedelta(minutes=89)
    assert timedelta(seconds=said["sla"]["left_seconds"]) > timedelta(days=3, minutes=89)


def test_when_a_request_was_accepted_stands_on_the_record(desk):
    """The time has a zone and has come; else it is refused, with an example."""
    file = desk.write("accepted.json", case := request("R-1017"))

    def give(when):
        return desk.run("start", "refund_request", "--input", file, "--accepted-at", when)

    naive, future, good = give("2026-01-31T10:00"), give("2999-01-01T00:00Z"), give("2025-06-01T10:00:00+02:00")

    assert (naive.code, future.code, good.code) == (2, 2, 0)
    assert "with its zone, such as 2026-01-31T14:05:00Z" in naive.err
    assert "it lies in the future" in future.err
    assert shown(desk, case["request"])["record"]["accepted_at"] == "2025-06-01T08:00:00Z"


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
        where = {"WORKUNITS_MODULES": "loans.package", "WORKUNITS_QUEUE": UNSERVED}
        return desk.run("start", "loan", "--input", file, *key, **where)

    keyless, many = begin(one), begin(two, "--key", "K-1")
    odd = [begin(one, "--key", key) for key in ("a/b", "../../etc/passwd", "a\nb", "x" * 121)]
    good = begin(one, "--key", "K-1")
    listed = desk.run("list", "--unit", "loan", WORKUNITS_MODULES="loans.package")

    assert keyless.code == many.code == 2
    assert "takes no key from its case: give one" in keyless.err
    assert "--key names one case" in many.err
    assert [ended.code for ended in odd] == [2] * 4
    assert all("1 to 120 letters, digits and . _ @ + = -" in ended.err for ended in odd)
    assert good.out == "loan:K-1 started\n"
    # Lateness is said in words: colours get lost in a pipe. Its budget was 10 ms.
    assert "OVERDUE" in listed.out


# --- start many -------------------------------------------------------------------------------------------------------


def test_good_lines_start_and_bad_ones_are_named(desk):
    """Malformed lines are named with number and reason, the others start, and the exit code says: partly."""
    good, taken = [request() for _ in range(3)], request()
    start(desk, taken, WORKUNITS_QUEUE=UNSERVED)
    lines = [
        json.dumps(good[0]),
        json.dumps(good[0])[:-9],
        json.dumps(request(amount={"minor": "x", "currency": "EUR"})),
        "",
        json.dumps(request()) + "\0",
        json.dumps(taken),
        json.dumps(taken | {"cause": "other"}),
        "x" * (VALUE_LIMIT + 1),
        json.dumps(good[1]) + "\r",
        json.dumps(good[2]),
        "",
        "",
    ]
    file = desk.write("mixed.jsonl", "\n".join(lines))

    ended = desk.run("start", "refund_request", "--input", file, WORKUNITS_QUEUE=UNSERVED)
    again = desk.run("start", "refund_request", "--input", file, "--json", WORKUNITS_QUEUE=UNSERVED)

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


def test_many_from_stdin_without_a_word_about_it(desk):
    """Lines on stdin are many cases; the same again starts nothing."""
    lines = "\n".join(json.dumps(request()) for _ in range(70)).encode()

    ended = desk.run("start", "refund_request", "--input", "-", stdin=lines, WORKUNITS_QUEUE=UNSERVED)
    again = desk.run("start", "refund_request", "--input", "-", stdin=lines, WORKUNITS_QUEUE=UNSERVED)

    assert (ended.code, ended.out, ended.err) == (0, "70 started\n", "")
    assert (again.code, again.out) == (0, "0 started, 70 there already\n")


def test_nothing_but_bad_lines(desk):
    """When no line is good, nothing was done: exit code 2; 4 when all were duplicates."""
    case = request()
    start(desk, case, WORKUNITS_QUEUE=UNSERVED)
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
        env=desk.variables | {"WORKUNITS_QUEUE": UNSERVED},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        case = request()
        os.write(process.stdin.fileno(), "".join(json.dumps(c) + "\n" for c in (case, request())).encode())
        deadline = time.monotonic() + PATIENCE
        while desk.run("show", case["request"]).code:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()

    assert (process.returncode, out) == (130, b"")
    assert err.startswith(b"Stopped: ")
    assert b"Give the same input again: what was started is left alone." in err
    assert b"Traceback" not in err


# --- reading ----------------------------------------------------------------------------------------------------------


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


# --- look -------------------------------------------------------------------------------------------------------------


def test_show_a_case_that_waits(desk):
    """The header, the steps, for whom it waits and what is left; in a pipe without colours or frames."""
    case = start(desk, request("R-1017"))
    said = shown(desk, case)

    text = desk.run("show", case.partition(":")[2]).out

    assert text.splitlines()[0] == f"{case} is waiting"
    assert "Accountable  head of customer care" in text
    assert "Waits for    refund approver: decide, for " in text
    assert " UTC, 2 d 23 h left" in text
    assert text.isprintable() is False
    assert all(line.isprintable() and line.isascii() and line == line.rstrip() for line in text.splitlines())
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["find_order"][1:3] == ["automated", "done"]
    assert rows["decide"][1:3] == ["human", "open"]
    assert said["case"] == case
    assert said["record"]["version"] == "1"
    assert said["tasks"][0]["role"] == "refund approver"
    assert said["sla"]["state"] == "running"
    assert sum(said["parts"].values()) > said["record"]["steps"][-1]["ready"]


def test_show_what_led_to_an_exception(desk):
    """A routed exception, with the step that takes over, and that the task has it as its reason."""
    case = start(desk, request("R-none"))
    shown(desk, case)

    text = desk.run("show", case).out

    assert "order_unknown" in text
    assert "correct_number takes over" in text
    assert "because of order_unknown" in text


def test_show_a_closed_case(desk):
    """How and when it closed, and that it was in time; the parts add up to the elapsed time exactly."""
    case = start(desk, request())
    said = shown(desk, case, until=lambda said: not said["open"])

    text = desk.run("show", case).out

    assert said["state"] == said["record"]["close"] == "achieved"
    assert said["sla"]["state"] == "met"
    assert sum(said["parts"].values()) == said["record"]["closed"]
    assert "Closed       achieved at " in text
    assert "UTC, in time" in text


def test_show_a_case_in_its_first_step(desk):
    """A case that has published nothing yet has its due time from its unit."""
    case = start(desk, request(), WORKUNITS_QUEUE=UNSERVED)

    text, said = desk.run("show", case).out, desk.run("show", case, "--json").json

    assert "Waits for    a worker" in text
    assert "2 d 23 h left" in text
    assert (said["record"], said["parts"], said["tasks"]) == (None, None, [])
    assert said["sla"]["state"] == "running"
    assert case in desk.run("list", "--state", "running", "--limit", "1000").out


async def test_a_case_that_was_ended_from_outside(desk, engine):
    """Terminated is no way of closing: the case is called that, and is in no list of what waits."""
    case = start(desk, request("R-1017"))
    shown(desk, case)
    client = await Client.connect(engine.address.host)
    await client.get_workflow_handle(case).terminate("an operator's mistake")

    deadline = time.monotonic() + PATIENCE
    while case in desk.run("list", "--state", "waiting", "--limit", "1000").out:
        assert time.monotonic() < deadline
    text = desk.run("show", case).out

    assert f"{case} is terminated" in text
    assert "terminated from outside at " in text


def test_list_says_when_there_are_more(desk):
    """The limit is said, in words and in JSON; a unit and a state narrow the list down."""
    waiting = start(desk, request("R-1017"))
    shown(desk, waiting)
    start(desk, request(), WORKUNITS_QUEUE=UNSERVED)

    short = desk.run("list", "--limit", "1")
    document = desk.run("list", "--limit", "1", "--json").json
    narrow = desk.run("list", "--state", "waiting", "--unit", "refund_request", "--json").json["cases"]
    nobody = desk.run("list", "--state", "achieved_late")
    wrong = desk.run("list", "--state", "stuck")

    assert "These are the first 1; for others: --limit, --unit, --state" in short.out
    assert (len(document["cases"]), document["more"]) == (1, True)
    entry = next(entry for entry in narrow if entry["case"] == waiting)
    assert {"unit": "refund_request", "state": "waiting", "open": True, "sla": "running"}.items() <= entry.items()
    assert entry["waiting_for"][0]["role"] == "refund approver"
    assert {entry["state"] for entry in narrow} == {"waiting"}
    assert (nobody.code, nobody.out, nobody.err) == (0, "", "No such cases.\n")
    assert wrong.code == 2
    assert "state: one of running, waiting, achieved" in wrong.err


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "a\nb", "\x1b[31mRR-1", "a\\b", "x" * 401, ""])
def test_inputs_41_and_42_odd_names(desk, name):
    """A path, a control character, nothing or too much: refused as a name, before anyone is asked."""
    for args in (("show", name), ("cancel", name, "--reason", "x"), ("tasks", "claim", f"{name}/../x")):
        ended = desk.run(*args)
        assert ended.code == 2
        assert "printable characters, and no path" in ended.err
        assert "\x1b" not in ended.err


async def test_a_name_that_fits_no_case_or_several(desk, engine):
    """Near names for a mistyped one; both names when a key has two cases."""
    case = start(desk, request())
    key = case.partition(":")[2]
    near = desk.run("show", f"{case[:-1]}{(int(case[-1]) + 1) % 10}")
    other = desk.run("show", "refund_reqest:RR-1")
    client = await Client.connect(engine.address.host)
    await client.start_workflow("customer_onboarding", {}, id=f"customer_onboarding:{key}", task_queue=UNSERVED)
    several = desk.run("show", key, "--json")

    assert near.code == other.code == several.code == 2
    assert case in near.err
    assert "did you mean refund_request?" in other.err
    assert several.error["code"] == "ambiguous"
    assert f"customer_onboarding:{key} or {case}" in several.error["message"]


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_input_48_cancel(desk):
    """A cancel needs a reason, which stays on the record with who gave it; a closed case refuses another."""
    case = start(desk, request("R-1017"))
    shown(desk, case)

    silent, blank = desk.run("cancel", case), desk.run("cancel", case, "--reason", " ")
    done = desk.run("cancel", case, "--reason", "asked  twice", "--as", "marta", "--json")
    again = desk.run("cancel", case, "--reason", "once more")
    text = desk.run("show", case).out

    assert (silent.code, blank.code) == (2, 2)
    assert "--reason" in silent.err
    assert "--reason: say why" in blank.err
    assert done.json == {"case": case, "state": "cancelled", "open": False, "by": "marta", "reason": "asked twice"}
    assert again.code == 4
    assert "the case closed as cancelled" in again.err
    assert "Cancelled by  marta: asked twice" in text


# --- no engine --------------------------------------------------------------------------------------------------------


def test_input_54_unreachable(desk):
    """Every command ends with exit code 3, and says where it looked and how to start an engine."""
    nowhere = {"TEMPORAL_ADDRESS": f"127.0.0.1:{free_ports(1)[0]}"}
    file = desk.write("case.json", request())
    commands = [
        ("start", "refund_request", "--input", file),
        ("list",),
        ("show", "RR-1"),
        ("cancel", "RR-1", "--reason", "x"),
        ("tasks", "ls"),
        ("tasks", "complete", "RR-1/decide"),
    ]

    for command in commands:
        ended = desk.run(*command, "--json", **nowhere)
        assert (ended.code, ended.out) == (3, "")
        assert ended.error["code"] == "unreachable"
        assert "workunits up" in ended.error["message"]
