"""The directory: who has which role and who answers for what, at each instant; what does not say so is refused."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbox.directory import Directory
from inbox.files import FileError
from inbox.roster import Absence, Holding, Person, Roster
from inbox.roster_file import load_roster
from workers.catalog import load_catalog
from workers.people import accountable_roles

DEMO = Path(__file__).parents[2] / "workers" / "templates" / "directory.toml"
HEAD = """zone = "Europe/Madrid"
[groups]
clerks = ["clerk"]
[[person]]
name = "ann"
groups = ["clerks"]
[[person]]
name = "ben"
[[person]]
name = "cleo"
"""


def at(said: str) -> datetime:
    """An instant."""
    return datetime.fromisoformat(said)


def holds(person: str, *more: str, role: str = "head") -> str:
    """An entry of an accountable person."""
    return "\n".join(["[[accountable]]", f'role = "{role}"', f'person = "{person}"', *more, ""])


def away(person: str, start: str, end: str, substitute: str = "") -> str:
    """An entry of an absence."""
    lines = ["[[absence]]", f'person = "{person}"', f"from = {start}", f"until = {end}"]
    return "\n".join([*lines, *([f'substitute = "{substitute}"'] if substitute else []), ""])


def load(tmp_path: Path, text: str, accountable: tuple[str, ...] = ()) -> Roster:
    """Read a text as a directory."""
    path = tmp_path / "d.toml"
    path.write_text(text, encoding="utf-8")
    return load_roster(path, accountable)


def refusal(tmp_path: Path, text: str, accountable: tuple[str, ...] = ()) -> str:
    """What is said of a text that is refused, from the line on."""
    with pytest.raises(FileError) as caught:
        load(tmp_path, text, accountable)
    assert str(caught.value).startswith(str(tmp_path / "d.toml"))
    return str(caught.value).removeprefix(str(tmp_path / "d.toml")).removeprefix(":")


def test_a_role_changes_hands_at_midnight_in_the_directorys_zone(tmp_path):
    """Until the day before it is one person's, from its first moment in Madrid another's."""
    roster = load(tmp_path, HEAD + holds("ann", "until = 2026-07-01") + holds("ben", "from = 2026-07-01"))
    midnight = at("2026-07-01T00:00:00+02:00")

    assert roster.accountable("head", midnight - timedelta(microseconds=1)) == "ann"
    assert roster.accountable("head", midnight) == "ben"
    assert roster.accountable("other", midnight) is None


def test_a_substitute_answers_while_someone_is_away_and_their_substitute_while_both_are(tmp_path):
    """Substitutes follow each other; who is away has the accountable role no more, and has it again after."""
    text = HEAD + holds("ann") + away("ann", "2026-08-01", "2026-08-11", "ben")
    roster = load(tmp_path, text + away("ben", "2026-08-03", "2026-08-05", "cleo"))
    first, both, after = (at(f"2026-08-{day}T12:00:00+02:00") for day in ("02", "04", "11"))

    assert [roster.accountable("head", when) for when in (first, both, after)] == ["ben", "cleo", "ann"]
    assert (roster.roles_of("ann", first), roster.roles_of("ann", after)) == (("clerk",), ("clerk", "head"))
    assert (roster.roles_of("ben", first), roster.roles_of("ben", both)) == (("head",), ())
    assert (roster.absent("ann", first), roster.absent("ann", after)) == (True, False)
    assert (roster.substitute_of("ann", both), roster.substitute_of("ann", after)) == ("cleo", None)
    assert (roster.stands_in_for("ben", first), roster.stands_in_for("ben", both)) == (("ann",), ())
    assert roster.stands_in_for("cleo", both) == ("ann", "ben")
    assert roster.people_of("clerk", first) == ("ann",)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (holds("ann", "until = 2026-07-01"), "nobody holds it from 2026-07-01;"),
        (holds("ann", "from = 2026-07-01"), "nobody holds it until 2026-07-01;"),
        (
            holds("ann", "until = 2026-07-01") + holds("ben", "from = 2026-07-03"),
            "nobody holds it from 2026-07-01 until 2026-07-03;",
        ),
        (
            holds("ann", "until = 2026-07-03") + holds("ben", "from = 2026-07-01"),
            "ann and ben hold it at once from 2026-07-01 until 2026-07-03;",
        ),
        (holds("ann") + holds("ben"), "ann and ben hold it at once at any time;"),
        (
            holds("ann") + away("ann", "2026-08-01", "2026-08-03"),
            "ann holds it, is away, and nobody stands in from 2026-08-01 until 2026-08-03;",
        ),
        (
            holds("ann")
            + away("ann", "2026-08-01", "2026-08-09", "ben")
            + away("ben", "2026-08-05", "2026-08-20", "ann"),
            "ann holds it, is away, and nobody stands in from 2026-08-05 until 2026-08-09;",
        ),
        (
            holds("ann", "until = 2026-07-01T12:00:00+02:00") + holds("ben", "from = 2026-07-01"),
            "ann and ben hold it at once from 2026-07-01 until 2026-07-01T12:00+02:00;",
        ),
    ],
)
def test_a_gap_or_a_double_is_refused_with_role_and_dates(tmp_path, entries, why):
    """36: a role without exactly one person at each instant is refused, and the message says when."""
    said = refusal(tmp_path, HEAD + entries)

    assert said.partition(": ")[2].startswith(f"[[accountable]]: the role head: {why}")
    assert int(said.partition(":")[0]) > HEAD.count("\n")


def test_a_role_that_answers_in_the_catalog_and_is_nobodys_is_refused(tmp_path):
    """36: a decision of the catalog for which nobody answers keeps the directory from loading."""
    said = refusal(tmp_path, HEAD + holds("ann"), accountable=("head", "chief"))

    assert "the role chief answers for decisions here, and nobody holds it" in said


def test_two_absences_of_one_person_at_once_are_refused(tmp_path):
    """Two substitutes at once would be a double."""
    said = refusal(
        tmp_path,
        HEAD + away("ann", "2026-08-01", "2026-08-09", "ben") + away("ann", "2026-08-08", "2026-08-20", "cleo"),
    )

    assert "ann is away twice from 2026-08-08 until 2026-08-09" in said


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("zone = \n", 1, "not TOML"),
        ("[groups]\na = []\n[groups]\n", 3, "the key is there twice"),
        ('zone = "UTC"\nzone = "UTC"\n', 2, "the key is there twice"),
        ('\nzones = "UTC"\n', 2, "zones: there is no such key; known are zone"),
        ("\n[[persons]]\n", 2, "persons: there is no such key"),
        ('[[person]]\nname = "ann"\nemial = "x"\n', 3, "[[person]] 1: emial: there is no such key"),
        ('[[person]]\nname = "ann"\n[[person]]\nname = "ann"\n', 4, "[[person]] 2: name: this person is there twice"),
        ('[[person]]\ndisplay = "x"\n', 1, "[[person]] 1: name: it is missing"),
        ("[[person]]\nname = 7\n", 2, "name: 1 to 200 printable"),
        ('[[person]]\nname = "a\\u0007"\n', 2, "name: 1 to 200 printable"),
        ('[[person]]\nname = "token:erp"\n', 2, "name: names of this kind are those of tokens"),
        ('[[person]]\nname = "ann"\nzone = "Europe/Atlantis"\n', 3, "zone: an IANA zone"),
        ('[[person]]\nname = "ann"\nzone = "../../etc/passwd"\n', 3, "zone: an IANA zone"),
        ('[[person]]\nname = "ann"\nzone = "Europe"\n', 3, "zone: an IANA zone"),
        ('[groups]\nclerks = ["clerk"]\n[[person]]\nname = "a"\ngroups = ["clerk"]\n', 5, "did you mean clerks?"),
        ('[groups]\nclerks = "clerk"\n', 2, "clerks: a list of names"),
        ('[groups]\nclerks = ["clerk", "clerk"]\n', 2, "clerks: a name is there twice"),
        ('[groups]\nclerks = ["clerk", "system"]\n', 2, "clerks: the role system is the runtime's own"),
        ('admins = ["gods"]\n', 1, "admins: there is no such group"),
        ("groups = 7\n", 1, "groups: write [groups] above"),
        ("person = 7\n", 1, "person: write [[person]] above"),
        (HEAD + holds("anna"), 13, "person: there is no such person; did you mean ann?"),
        (HEAD + holds("ann", 'until = "2026-07-01"'), 14, "until: a day without quotes"),
        (HEAD + holds("ann", "until = 2026-07-01T00:00:00"), 14, "until: a day, or a time with its zone"),
        (HEAD + away("ben", "2026-08-01", "9999-12-31T23:00:00-05:00"), 14, "until: it lies too far away"),
        (HEAD + holds("ann", "until = 9999-12-31T23:30:00Z"), 14, "until: it lies too far away"),
        (HEAD.replace("Madrid", "Berlin") + away("ben", "0001-01-01", "2026-08-01"), 13, "from: it lies too far away"),
        ("# a\u2028b\n" + HEAD + holds("anna"), 14, "person: there is no such person; did you mean ann?"),
        (HEAD + holds("ann", "from = 2026-07-01", "until = 2026-07-01"), 15, "until: it is not after"),
        (HEAD + holds("ann", role="system"), 12, "role: the role system is the runtime's own"),
        (HEAD + away("ann", "2026-08-01", "2026-08-02", "ann"), 15, "nobody stands in for themselves"),
        (HEAD + '[[absence]]\nperson = "ann"\nfrom = 2026-08-01\n', 11, "until: it is missing"),
    ],
)
def test_what_is_not_right_is_named_by_file_and_line(tmp_path, text, line, why):
    """49 to 51, 61: broken TOML, an unknown or doubled key and a value that does not fit are named by their line."""
    said = refusal(tmp_path, text)

    assert said.startswith(f"{line}: ")
    assert why in said


def test_a_file_that_is_not_there_or_that_anyone_may_write_is_refused(tmp_path):
    """52: a missing file is said to be missing; roles that anyone may give themselves are none."""
    with pytest.raises(FileError, match="there is no such directory"):
        load_roster(tmp_path / "none.toml")
    (tmp_path / "d.toml").touch()
    (tmp_path / "d.toml").chmod(0o666)
    with pytest.raises(FileError, match="anyone may write this directory: chmod o-w"):
        load_roster(tmp_path / "d.toml")


def test_a_new_version_is_taken_and_a_bad_one_is_not(tmp_path, caplog):
    """A change is in force at once; one that is not right is told in the log, and what was read before stays."""
    path = tmp_path / "d.toml"
    path.write_text(HEAD + holds("ann"), encoding="utf-8")
    directory = Directory.watch(path, every=0)
    now = datetime.now(UTC)

    path.write_text(HEAD + holds("ben"), encoding="utf-8")
    assert directory.accountable("head", now) == "ben"
    with caplog.at_level(logging.ERROR, "workunits.inbox"):
        path.write_text(HEAD + holds("nobody"), encoding="utf-8")
        assert directory.accountable("head", now) == "ben"
    assert "d.toml:13: [[accountable]] 1: person" in directory.error
    assert directory.error in caplog.text
    path.unlink()
    assert directory.accountable("head", now) == "ben"
    assert "there is no such directory" in directory.error
    path.write_text(HEAD + holds("cleo"), encoding="utf-8")
    assert (directory.accountable("head", now), directory.error) == ("cleo", "")


def test_a_version_that_could_not_be_read_is_taken_once_it_can_be(tmp_path, caplog):
    """Its remedy may change no word of it, such as `chmod o-w`; meanwhile the log says it once."""
    path = tmp_path / "d.toml"
    path.write_text(HEAD + holds("ann"), encoding="utf-8")
    directory = Directory.watch(path, every=0)
    now = datetime.now(UTC)
    path.write_text(HEAD + holds("ben"), encoding="utf-8")
    path.chmod(0o666)
    with caplog.at_level(logging.ERROR, "workunits.inbox"):
        assert [directory.accountable("head", now) for _ in range(3)] == ["ann"] * 3
    assert [record.message.count("chmod o-w") for record in caplog.records] == [1]
    path.chmod(0o644)

    assert (directory.accountable("head", now), directory.error) == ("ben", "")


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    """As some editors write it; nobody sees it in the file's first line."""
    assert load(tmp_path, "\ufeff" + HEAD + holds("ann")).accountable("head", datetime.now(UTC)) == "ann"


def test_a_directory_without_a_file_knows_nobody():
    """An empty directory has no answer, and fails nobody."""
    directory, now = Directory(), datetime.now(UTC)

    assert (directory.person("ann"), directory.everybody, directory.people_of("clerk", now)) == (None, (), ())
    assert (directory.accountable("head", now), directory.roles_of("ann", now)) == (None, ())
    assert (directory.absent("ann", now), directory.substitute_of("ann", now)) == (False, None)
    assert directory.stands_in_for("ann", now) == ()


def test_the_demos_directory_answers_for_the_whole_catalog():
    """The example that people copy is right, and every role of a human step has someone."""
    catalog, now = load_catalog(()), datetime.now(UTC)
    roster = load_roster(DEMO, accountable_roles(catalog))

    roles = {step.role for unit in catalog for step in unit.steps if step.role}
    assert all(roster.people_of(role, now) for role in roles)


def test_the_example_of_the_documentation_is_right(tmp_path):
    """What docs/people.md shows can be read, once the people whom it leaves out are there."""
    page = (DEMO.parents[2] / "docs" / "people.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    others = "".join(f'[[person]]\nname = "{name}"\n' for name in ("helen.head", "karim.head", "noah.analyst"))
    roster = load(tmp_path, example + others, ("head of onboarding",))

    assert roster.accountable("head of onboarding", at("2026-07-01T00:00:00+02:00")) == "karim.head"
    assert roster.substitute_of("ines.officer", at("2026-08-10T00:00:00+02:00")) == "noah.analyst"


DAY = at("2026-01-01T00:00:00+00:00")
days = st.integers(0, 8).map(lambda day: DAY + timedelta(days=day))
names = st.sampled_from(("ann", "ben", "cleo"))


@given(
    st.lists(st.tuples(names, days, days), max_size=3), st.lists(st.tuples(names, days, days, names), max_size=4), days
)
def test_a_roster_without_faults_has_one_person_at_each_instant(holdings, absences, when):
    """Whatever is written: no fault means exactly one person who is not away; a fault is really one."""
    held = [Holding(min(s, e), max(s, e), "head", who) for who, s, e in holdings if s != e]
    gone = [Absence(min(s, e), max(s, e), who, sub) for who, s, e, sub in absences if s != e and who != sub]
    roster = Roster({name: Person(name, name) for name in ("ann", "ben", "cleo")}, {}, held, gone)
    faults = list(roster.faults())

    if not faults:
        for role in roster.accountable_roles:
            found = roster.accountable(role, when)
            assert found is not None
            assert not roster.absent(found, when)
    if held and not any(not fault.role for fault in faults):
        instants = [DAY + timedelta(hours=12 * half) for half in range(-1, 20)]
        answered = all(
            sum(one.covers(instant) for one in held) == 1 and roster.accountable("head", instant) is not None
            for instant in instants
        )
        assert answered == (not faults)
