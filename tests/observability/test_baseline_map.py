"""Maps of logs: each misfit is told by file, line and key."""

from __future__ import annotations

import pytest

from observability.learning.mapping import MapError, parse_map, read_map, refuse_unknown_steps
from tests.observability.old_process import MAP, log_map


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('unit = "loan"', 'unit = "Loan"', r"m.toml:2: unit: should be lower_case_words"),
        ('unit = "loan"', "", r"m.toml: unit: is missing; add it"),
        ('kind = "human"', 'kind = "robot"', r"m.toml:8: steps.W_Check.kind: should be 'human', 'automated' or 'ai'"),
        ('step = "check"', "", r"m.toml:6: steps.W_Check.step: is missing; add it"),
        ('step = "check"', 'stop = "check"', r"m.toml:7: steps.W_Check.stop: there is no such key; did you mean step"),
        ('kind = "human"', 'kind = "human"\nwho = "x"', r"m.toml:9: steps.W_Check.who: there is no such key"),
        ("milestones", "milestone", r"m.toml:3: milestone: there is no such key; did you mean milestones\?"),
        ("not_achieved]", "not_achived]", r"m.toml:17: ends.not_achived: there is no such key; did you mean"),
        ('["A_APPROVED"]', '["A_DECLINED"]', r"m.toml: ends: an activity is both achieved and not_achieved"),
        ("check = [", "chek = [", r"m.toml: rework.chek: no activity is mapped to such a step"),
        ('"automated"', '"machine"', r"m.toml:28: resources.112: should be 'human', 'automated' or 'ai'"),
        ("5000, 10000", "10000, 5000", r"m.toml:30: segment: bins should go up"),
        ("bins = [5000, 10000]", 'bins = [1]\nlabels = ["a"]', r"m.toml:30: segment: labels should be 2, one more"),
        ("Europe/Amsterdam", "Europe/Atlantis", r"m.toml:4: zone: should be a zone such as Europe/Amsterdam"),
        ("Europe/Amsterdam", "../etc", r"m.toml:4: zone: should be a zone such as"),
        ('case = "Case"', "case = 1", r"m.toml:35: csv.case: should be a valid string"),
        ('resource = "Who"', 'encoding = "klingon"', r"m.toml:39: csv.encoding: should be an encoding such as"),
        ('resource = "Who"', 'start = "Begin"', r"m.toml:34: csv: transition is for a row per event"),
        (
            "[csv]",
            '[lifecycle]\nPARKED = "park"\n\n[csv]',
            r"m.toml:35: lifecycle.PARKED: should be 'schedule', 'start'",
        ),
        ('unit = "loan"', 'unit = "loan"\nunit = "x"', r"m.toml:3:\d+: the key is there twice; keep one"),
        ('unit = "loan"', "unit = loan", r"m.toml:2:8: not TOML"),
    ],
)
def test_misfits_are_told_by_line_and_key(was, becomes, said):
    """The value is never repeated, the remedy is."""
    assert was in MAP
    with pytest.raises(MapError, match=said):
        parse_map(MAP.replace(was, becomes, 1), "m.toml")


def test_a_map_that_is_not_there(tmp_path):
    """A missing file, a folder, another encoding and a whole log are told as such."""
    path = tmp_path / "map.toml"
    with pytest.raises(MapError, match="cannot be read: No such file"):
        read_map(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MapError, match="not UTF-8 text"):
        read_map(path)
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(MapError, match="larger than 1 MB"):
        read_map(path)


def test_steps_are_held_against_a_registered_unit(tmp_path):
    """A step that the unit does not have is named with its line and near names."""
    path = tmp_path / "map.toml"
    path.write_text(MAP)
    refuse_unknown_steps(read_map(path), ["check", "call"], path)
    with pytest.raises(
        MapError, match=r"map.toml:11: steps.W_Call.step: the unit loan has no step call; did you mean cal"
    ):
        refuse_unknown_steps(read_map(path), ["check", "cal"], path)


def test_the_map_of_the_real_log_is_one():
    """The map in the docs can be read."""
    from pathlib import Path

    mapping = read_map(Path(__file__).parents[2] / "docs/baselines/loans-2012.toml")
    assert (mapping.unit, len(mapping.step_names)) == ("loan_application", 7)


def test_the_same_map_said_otherwise_is_the_same():
    """Comments, order and layout are no part of what a map says; a value is."""
    turned = MAP.replace('step = "call"\nkind = "human"', 'kind = "human" # a person\nstep = "call"')
    assert turned != MAP
    assert log_map(turned).canonical() == log_map().canonical()
    assert log_map(MAP.replace("5000", "5001")).canonical() != log_map().canonical()
