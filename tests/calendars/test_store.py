"""Published calendars: immutable versions in folders, found by name alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.calendars.samples import micros
from tests.conftest import CALENDARS
from tests.lab.promises import Astray, Officed
from workers.calendars import check_calendars
from workers.checks.finding import calendars
from workers.settings import Settings
from workunits.calendars.reading import CalendarError
from workunits.calendars.store import PublishedError, Store, UnknownCalendarError, shipped
from workunits.registry import Catalog, Package

TEXT = 'version = {version}\nzone = "{zone}"\n[hours]\nmonday = ["09:00-17:00"]\n'
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = (micros(BEGIN), micros(BEGIN + timedelta(days=400)))


def write(path: Path, version: int = 1, zone: str = "UTC") -> Path:
    """Write a calendar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT.format(version=version, zone=zone), encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path):
    """An empty store, which does not exist yet."""
    return Store([tmp_path / "calendars"])


def test_what_is_published_stays(store, tmp_path):
    """The newest version is the current one; the older ones can be read for ever."""
    file = write(tmp_path / "desk.toml")
    first = store.publish(file)
    write(file, 2, "Europe/Madrid")
    store.publish(file)

    assert first.path == tmp_path / "calendars" / "desk" / "1.toml"
    assert (store.names(), store.versions("desk")) == (["desk"], [1, 2])
    assert store.read("desk").calendar.zone == "Europe/Madrid"
    assert store.read("desk", 1).calendar.zone == "UTC"
    assert store.pin("desk", *HORIZON).version == 2
    assert store.pin("desk", *HORIZON, version=1).zone == "UTC"
    assert [path.name for path in sorted((tmp_path / "calendars" / "desk").iterdir())] == ["1.toml", "2.toml"]


def test_the_same_content_again_changes_nothing(store, tmp_path):
    """So a script may publish what it has, each time that it runs."""
    file = write(tmp_path / "desk.toml")

    assert not store.publish(file).existing
    assert store.publish(file).existing


def test_other_content_under_the_same_version_is_refused(store, tmp_path):
    """Cases are pinned to it; the refusal names the next number that is free."""
    file = write(tmp_path / "desk.toml", 3)
    store.publish(file)
    write(file, 3, "Europe/Madrid")

    with pytest.raises(PublishedError, match=r"version 3 of desk is published with another content.*write version = 4"):
        store.publish(file)
    write(file, 2)
    with pytest.raises(PublishedError, match="version 3 of desk is published already; write version = 4"):
        store.publish(file)
    assert store.read("desk").calendar.zone == "UTC"


def test_a_file_that_is_not_right_is_not_published(store, tmp_path):
    """Nothing of it is left behind."""
    with pytest.raises(CalendarError):
        store.publish(write(tmp_path / "desk.toml", zone="Nowhere"))
    assert store.names() == []
    assert not (tmp_path / "calendars").exists()


def test_an_unknown_calendar_names_the_near_ones(store, tmp_path):
    """And an unknown version those that there are."""
    store.publish(write(tmp_path / "desk.toml"))

    with pytest.raises(UnknownCalendarError, match=r"there is no calendar 'deks'; did you mean desk\?"):
        store.read("deks")
    with pytest.raises(UnknownCalendarError, match="there is no calendar 'x'; there are desk"):
        store.read("x")
    with pytest.raises(UnknownCalendarError, match="the calendar desk has no version 7; there are 1"):
        store.read("desk", 7)


@pytest.mark.parametrize("name", ["../desk", "a/b", "", ".", "..", "/etc", "DESK", "a\0b", "x" * 61])
def test_a_name_is_never_a_path(store, tmp_path, name):
    """What a unit or a user names is looked up in the store and nowhere else."""
    write(tmp_path / "desk" / "1.toml")
    (tmp_path / "calendars").mkdir()

    with pytest.raises(UnknownCalendarError):
        store.read(name)


def test_a_file_that_was_put_there_by_hand_is_held_to_its_name(store, tmp_path):
    """Its version is that of the file's name, and what is no version is passed over."""
    write(tmp_path / "calendars" / "desk" / "2.toml", 1)
    write(tmp_path / "calendars" / "desk" / "notes.toml", 9)
    write(tmp_path / "calendars" / "desk" / "03.toml", 3)

    assert store.versions("desk") == [2]
    with pytest.raises(CalendarError, match="the file is that of version 2"):
        store.read("desk")


def test_calendars_of_packages_come_after_the_own(tmp_path):
    """An organisation adds versions to a calendar that a package brings, and never changes one."""
    store = Store([tmp_path / "calendars", *shipped()])
    assert store.read("back-office").path.parent.parent in shipped()

    with pytest.raises(PublishedError, match="write version = 2"):
        store.publish(write(tmp_path / "back-office.toml", 1))
    store.publish(write(tmp_path / "back-office.toml", 2, "Europe/Madrid"))
    assert store.versions("back-office") == [1, 2]
    write(tmp_path / "calendars" / "back-office" / "1.toml", 1, "UTC")  # by hand, around `publish`
    assert store.read("back-office", 1).calendar.zone == "UTC"
    assert store.read("back-office").calendar.zone == "Europe/Madrid"


def test_a_package_of_calendars_needs_no_code(tmp_path, monkeypatch):
    """A folder that can be imported is enough; one that cannot is refused by name."""
    write(tmp_path / "acme_calendars" / "desk" / "1.toml")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert Store(shipped(["acme_calendars"])).names() == ["desk"]
    for name in ("acme_calendar", "acme.calendars", "json.decoder"):
        with pytest.raises(UnknownCalendarError, match=f"there is no package {name} of calendars"):
            shipped([name])


def test_a_worker_refuses_units_whose_calendar_is_not_published(tmp_path):
    """Each unit is named with its calendar; once that is published, nothing is missing."""
    catalog = Catalog([Package("tests", (Astray, Officed), (), ())])
    settings = Settings(calendars=tmp_path)
    with pytest.raises(UnknownCalendarError) as error:
        check_calendars(settings, catalog)
    said = calendars(settings, catalog)

    assert "astray: there is no calendar 'nowhere'" in str(error.value)
    assert "officed: there is no calendar 'tests'" in str(error.value)
    assert (said.check, said.status) == ("calendars", "fail")
    check_calendars(Settings(calendars=CALENDARS), Catalog([Package("tests", (Officed,), (), ())]))
