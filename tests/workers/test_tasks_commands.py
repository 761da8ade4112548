"""`tasks` on a real engine: what waits, what is asked, and what becomes of every kind of answer."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field

from tests.workers.terminal import refund, served
from workers.answers import fields, in_short, read_settings
from workunits.core.errors import BadInput

ROLE = "refund approver"
REFUSE = ("--set", "verdict=refuse", "--set", "reason=The goods are as described.")


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory):
    """A terminal on an engine with a worker."""
    with served(engine, tmp_path_factory.mktemp("tasks"), "tasks-commands") as opened:
        yield opened


def waiting(desk, order="R-1017"):
    """Start a refund request that a person decides on, or corrects; give the id of its task."""
    return desk.shown(desk.start(refund(order)))["tasks"][0]["id"]


def closed(desk, task):
    """The record of a task's case, once it has closed."""
    return desk.shown(task.rpartition("/")[0], lambda said: not said["open"])["record"]


@pytest.fixture(scope="module")
def open_task(desk):
    """A task that stays open: every answer to it is refused."""
    return waiting(desk)


# --- look -------------------------------------------------------------------------------------------------------------


def test_ls_lists_what_waits_for_whom(desk, open_task):
    """A table for people, a document for machines, narrowed down by role and unit."""
    other = waiting(desk, "R-none")

    text = desk.run("tasks", "ls", "--limit", "1000").out
    mine = desk.run("tasks", "ls", "--role", ROLE, "--limit", "1000", "--json").json["tasks"]
    theirs = desk.run("tasks", "ls", "--role", "customer", "--unit", "refund_request", "--json").json["tasks"]
    one = desk.run("tasks", "ls", "--limit", "1", "--json").json
    none = desk.run("tasks", "ls", "--unit", "customer_onboarding", "--role", "customer")

    row = next(row.split() for row in text.splitlines() if open_task in row)
    assert row[1:3] == ["refund", "approver"]
    assert row[-4:] == ["2", "d", "23", "h"]
    assert open_task in {entry["task"] for entry in mine}
    assert other not in {entry["task"] for entry in mine}
    entry = next(entry for entry in theirs if entry["task"] == other)
    assert (entry["role"], entry["because"], entry["revision"]) == ("customer", "order_unknown", 1)
    assert (len(one["tasks"]), one["more"]) == (1, True)
    assert (none.code, none.out) == (0, "")
    assert "Nothing waits for a person" in none.err


def test_ls_refuses_a_role_that_nobody_has(desk):
    """A mistyped role would find nothing, silently: near ones are named instead."""
    ended = desk.run("tasks", "ls", "--role", "refund aprover", "--json")

    assert ended.code == 2
    assert ended.error["code"] == "unknown_role"
    assert ROLE in ended.error["message"]


def test_show_says_what_is_asked(desk, open_task):
    """The task, its input, what the answer takes, and the command that gives it."""
    case = open_task.rpartition("/")[0]

    text, document = desk.run("tasks", "show", case).out, desk.run("tasks", "show", open_task, "--json").json

    assert text.startswith(f"{open_task} is ready\n")
    assert "Role         refund approver\n" in text
    assert "Accountable  head of customer care\n" in text
    assert "request.amount.minor     15900\n" in text
    assert "verdict  pay | refuse (required)\n" in text
    assert text.endswith(f"workunits tasks complete {open_task} --set verdict=...\n")
    assert document["task"]["id"] == open_task
    assert document["asked"]["order"]["order"] == "R-1017"
    assert document["answer_schema"]["required"] == ["verdict"]
    assert document["case"] == case


def test_input_14_unknown_task(desk, open_task):
    """What the case has open instead is named; a closed case says that it is."""
    case = open_task.rpartition("/")[0]
    for command in ("show", "claim", "complete"):
        ended = desk.run("tasks", command, f"{case}/decid", "--json")
        assert ended.code == 2
        assert ended.error["code"] == "unknown_task"
        assert open_task in ended.error["message"]
    assert desk.run("tasks", "claim", "RR-0/decide").code == 2


# --- act --------------------------------------------------------------------------------------------------------------


def test_an_answer_by_fields_decides_the_case(desk):
    """Without a role the task's own is taken, and said; the decision stands under the name that was given."""
    task = waiting(desk)

    ended = desk.run("tasks", "complete", task, *REFUSE, "--as", "sven", "--acting-for", "marta")
    record = closed(desk, task)

    assert (ended.code, ended.out) == (0, f"{task} is completed\n")
    assert ended.err == f"As sven, with the task's own role: {ROLE}. For another: --role\n"
    work = next(work for work in record["steps"] if work["key"] == "decide")
    assert (work["by"], work["acting_for"], record["close"]) == ("sven", "marta", "achieved")
    # Nobody said when the work began: it took a time that is unknown, not none.
    row = next(row for row in desk.run("show", record["case"]).out.splitlines() if row.startswith("decide "))
    assert row.endswith("not said         sven for marta")


def test_an_answer_by_file_named_by_its_case(desk):
    """A case with one open task names it; `--json` says what came of it and under which action id."""
    task = waiting(desk, "R-none")
    answer = desk.write("answer.json", {"order": "R-1016"})

    ended = desk.run("tasks", "complete", task.rpartition("/")[0], "--input", answer, "--as", "ann", "--json")

    assert ended.code == 0
    assert ended.err == ""
    said = {"task": task, "state": "completed", "revision": 2, "action": "complete", "actor": "ann"}
    assert said.items() <= ended.json.items()
    assert ended.json["roles"] == ["customer"]
    assert len(ended.json["action_id"]) == 32


def test_an_answer_on_stdin(desk, open_task):
    """`-` reads it from stdin; here it does not fit."""
    ended = desk.run("tasks", "complete", open_task, "--input", "-", stdin=b'{"verdict": "maybe", "admin": true}')

    assert ended.code == 2
    assert "body.verdict: Input should be 'pay' or 'refuse'; body.admin: Extra inputs" in ended.err
    assert "The answer takes: verdict (pay | refuse), reason (text)" in ended.err


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        pytest.param(b"", "bad_body", "body: not JSON", id="input_1_nothing"),
        pytest.param(b"{} {}", "bad_body", "body: not JSON: extra data at column 4", id="input_2_two"),
        pytest.param(b"null", "bad_body", "body: an object is needed", id="input_3_null"),
        pytest.param(b"[]", "bad_body", "body: an object is needed", id="input_3_list"),
        pytest.param(b'{"verdict": ', "bad_body", "body: not JSON: expecting value at column", id="input_4_not_json"),
        pytest.param(b'{"verdict": "pay",\n', "bad_body", "quotes at line 2, column 1", id="input_4_cut_off"),
        pytest.param(b'{"verdict": "\xff"}', "bad_body", "body: not JSON", id="input_4_not_utf8"),
        pytest.param(b"{}", "invalid_field", "body.verdict: Field required", id="input_5_missing"),
        pytest.param(b'{"verdict": "pay", "x": 1}', "invalid_field", "body.x: Extra inputs", id="input_6_unknown"),
        pytest.param(b'{"verdict": 7}', "invalid_field", "body.verdict: Input should be 'pay'", id="input_7_type"),
        pytest.param(b'{"verdict": NaN}', "bad_body", "body: NaN is not JSON", id="input_8_nan"),
        pytest.param(
            b'{"verdict": ' + b"9" * 30 + b"}", "invalid_field", "an integer over 64 bits", id="input_9_large"
        ),
        pytest.param(b'{"verdict": "\\u001b"}', "invalid_field", "a control character", id="input_10_control"),
        pytest.param(b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", "bad_body", "deeper than 32", id="input_11_deep"),
        pytest.param(b'{"x": "' + b"x" * 66_000 + b'"}', "too_large", "body: over 65536 bytes", id="input_12_64_kb"),
        pytest.param(b'{"x": "' + b"x" * 5_000_000 + b'"}', "too_large", "over 65536 bytes", id="input_13_5_mb"),
    ],
)
def test_an_answer_that_does_not_fit(desk, open_task, content, code, said):
    """Each is refused with the field and what was expected; the task stays as it was."""
    ended = desk.run("tasks", "complete", open_task, "--json", "--input", desk.write("body.json", content))

    assert (ended.code, ended.out) == (2, "")
    assert ended.error["code"] == code
    assert said in ended.error["message"]
    assert ended.error["field"].startswith("body")
    (task,) = desk.run("show", open_task.rpartition("/")[0], "--json").json["tasks"]
    assert (task["state"], task["revision"]) == ("ready", 1)


@pytest.mark.parametrize("option", ["--as", "--acting-for", "--action-id"])
def test_an_empty_name_is_refused(desk, open_task, option):
    """As of a variable that is not set: it is neither the user of this computer nor an act of its own."""
    ended = desk.run("tasks", "complete", open_task, "--set", "verdict=pay", option, "", "--json")

    assert (ended.code, ended.out) == (2, "")
    assert (ended.error["code"], ended.error["field"]) == ("invalid_field", option)
    (task,) = desk.run("show", open_task.rpartition("/")[0], "--json").json["tasks"]
    assert (task["state"], task["revision"]) == ("ready", 1)


def test_a_large_answer_is_refused_before_it_travels(desk, open_task):
    """No engine is needed to say that 5 MB are too much."""
    file = desk.write("large.json", b'{"x": "' + b"x" * 5_000_000 + b'"}')

    ended = desk.run("tasks", "complete", open_task, "--input", file, TEMPORAL_ADDRESS="127.0.0.1:1")

    assert (ended.code, ended.err) == (2, "workunits: body: over 65536 bytes; pass larger data by reference\n")


def test_claim_work_pause_and_release(desk):
    """The whole life of a task by commands; who does not own it, or has not seen it since, is refused (17, 20)."""
    task = waiting(desk)

    def act(action, who, *more):
        return desk.run("tasks", action, task, "--as", who, "--json", *more)

    states = [act(action, "marta").json["state"] for action in ("claim", "start", "stop")]
    stranger = act("complete", "sven", *REFUSE)
    stale = act("release", "marta", "--revision", "1")
    owned = desk.run("tasks", "ls", "--limit", "1000").out
    case = desk.run("show", task.rpartition("/")[0]).out
    released = act("release", "marta", "--revision", "4")

    assert states == ["claimed", "in_progress", "claimed"]
    assert (stranger.code, stranger.error["code"]) == (4, "not_owner")
    assert stranger.error["message"] == "marta has claimed the task"
    assert (stale.code, stale.error["code"]) == (4, "stale_revision")
    assert "at revision 4, not 1" in stale.error["message"]
    assert next(row for row in owned.splitlines() if task in row).endswith("marta")
    assert "claimed by marta" in case
    assert released.json["state"] == "ready"
    assert (released.json["revision"], released.json["roles"]) == (5, [ROLE])


def test_input_18_not_candidate(desk, open_task):
    """Another role is refused, and the one that is needed is named in the unit's own words."""
    ended = desk.run("tasks", "complete", open_task, "--role", "clerk", "--role", "customer", *REFUSE)

    assert (ended.code, ended.err) == (4, f"workunits: the task is for the role '{ROLE}'\n")


def test_inputs_21_23_and_24_second_answers(desk):
    """The same action again has the same answer, also after the close; anything else comes too late."""
    task = waiting(desk)

    def answer(*more, name=task):
        return desk.run("tasks", "complete", name, "--as", "sven", "--json", *more)

    first = answer(*REFUSE, "--action-id", "one")
    at_once = [answer(*REFUSE, "--action-id", "one"), answer("--set", "verdict=pay", "--action-id", "one")]
    closed(desk, task)
    same, other = answer(*REFUSE, "--action-id", "one"), answer("--set", "verdict=pay", "--action-id", "one")
    by_case = answer(*REFUSE, "--action-id", "one", name=task.rpartition("/")[0])
    late = desk.run("tasks", "complete", task, "--set", "verdict=pay", "--as", "eve", "--json")
    claim = desk.run("tasks", "claim", task.rpartition("/")[0], "--json")

    assert first.json == same.json == by_case.json == at_once[0].json
    assert (other.code, other.error["code"]) == (4, "action_id_reused")
    assert (at_once[1].code, at_once[1].error["code"]) == (4, "action_id_reused")
    assert (late.code, late.error["code"]) == (4, "closed")
    assert "the case closed as achieved at " in late.error["message"]
    assert late.error["message"].endswith(" by sven")
    assert (claim.code, claim.error["code"]) == (4, "closed")


# --- answers as fields ------------------------------------------------------------------------------------------------


class Inner(BaseModel):
    """An object within an answer."""

    minor: int
    currency: str


class Reply(BaseModel):
    """An answer of every kind."""

    text: str = Field(description="As one likes.")
    count: int = 0
    sure: bool = False
    perhaps: int | None = None
    names: list[str] = []
    amount: Inner | None = None


SCHEMA = Reply.model_json_schema()


def test_fields_are_read_as_the_answer_takes_them():
    """Text stays as it was typed, also where it looks like a number; all else is JSON; dots lead into objects."""
    given = ["text=7", "count=7", "sure=true", "perhaps=null", 'names=["a"]', "amount.minor=5", "amount.currency=007"]

    body = read_settings(given, SCHEMA)

    assert body == {
        "text": "7",
        "count": 7,
        "sure": True,
        "perhaps": None,
        "names": ["a"],
        "amount": {"minor": 5, "currency": "007"},
    }
    assert Reply.model_validate(body).amount == Inner(minor=5, currency="007")


def test_what_a_field_cannot_take_is_left_to_the_unit():
    """A value that is no JSON, and a field that nobody knows, travel as text: the unit names them."""
    assert read_settings(["count=many", "admin=yes=no"], SCHEMA) == {"count": "many", "admin": "yes=no"}


@pytest.mark.parametrize("given", [["text"], ["=x"], ["a..b=1"], ["a=1", "a=2"], ["a=1", "a.b=2"], ["a.b=1", "a=2"]])
def test_fields_that_make_no_answer(given):
    """No value, no name, or a field twice."""
    with pytest.raises(BadInput, match=r"write field=value|set twice"):
        read_settings(given, SCHEMA)


def test_an_answer_in_words():
    """What each field takes, whether it is required, and what its author says of it."""
    said = dict(fields(SCHEMA))

    assert said["text"] == "text (required): As one likes."
    assert said["perhaps"] == "whole number or null"
    assert said["names"] == "list of text"
    assert said["amount"] == "{minor: whole number, currency: text} or null"
    assert in_short(SCHEMA).startswith("text (text), count (whole number), sure (true or false)")
    assert in_short({}) == "no fields"
