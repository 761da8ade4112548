"""Where published definitions are kept: `published/UNIT/VERSION.json`, in a folder beside the code of the units.

Files and no database: they are reviewed and deployed with the code that they describe, and a worker can start while
every database is down. See docs/governance.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

from pydantic import ValidationError

from workunits.governance import GovernanceError, Published, faults
from workunits.registry import Package

_FOLDER = "published"


class DamagedError(GovernanceError):
    """A file of published definitions is not as we write it."""


class Shelf:
    """The published definitions of one package."""

    def __init__(self, folder: Path) -> None:
        """Keep them in this folder; it is made with the first one."""
        self.folder = folder

    @classmethod
    def of(cls, package: Package) -> Shelf | None:
        """The shelf of a package; None when it names none.

        Raises:
            GovernanceError: what it names is no package that can be found.
        """
        if not package.published:
            return None
        try:
            found = importlib.util.find_spec(package.published)
        except (ImportError, ValueError):
            found = None
        if found is None or not found.submodule_search_locations:
            why = f"package {package.name!r}: published: there is no package (a folder with __init__.py) of this name"
            raise GovernanceError(f"{why}; name one of yours, such as its top one", code="bad_shelf", field="published")
        return cls(Path(next(iter(found.submodule_search_locations))) / _FOLDER)

    def path(self, unit: str, version: str) -> Path:
        """The file of a version."""
        return self.folder / unit / f"{version}.json"

    def read(self, unit: str, version: str) -> Published | None:
        """A version of a unit; None when it is not there.

        Raises:
            DamagedError: names the file, the field and the remedy.
        """
        path = self.path(unit, version)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, "", f"it cannot be read: {getattr(error, 'strerror', '') or 'not UTF-8'}") from None
        return _checked(path, text, unit, version)

    @property
    def units(self) -> list[str]:
        """The units of which something is kept, also those whose code has gone."""
        return sorted(path.name for path in self.folder.glob("*") if path.is_dir())

    def versions(self, unit: str) -> list[Published]:
        """All versions of a unit, in the order in which they came to the stage that they are in.

        Raises:
            DamagedError.
        """
        files = sorted((self.folder / unit).glob("*.json"))
        found = [one for path in files if (one := self.read(unit, path.stem)) is not None]
        return sorted(found, key=lambda one: one.life[-1].at)

    def last(self, unit: str) -> Published | None:
        """The version of a unit that was published last; None when none was.

        Raises:
            DamagedError.
        """
        signed = [(one.published_at, one) for one in self.versions(unit) if one.published_at]
        return max(signed, key=lambda pair: pair[0], default=(None, None))[1]

    def write(self, published: Published) -> Path:
        """Keep a version; gives its file.

        Raises:
            OSError: the folder cannot be written.
        """
        path = self.path(published.unit, published.version)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(published.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n", "utf-8")
        os.replace(beside, path)  # noqa: PTH105 - atomic, and it is to take the place of what is there
        return path


def _checked(path: Path, text: str, unit: str, version: str) -> Published:
    try:
        found = Published.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise _damaged(path, f"line {error.lineno}, column {error.colno}", "not JSON") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, where, first["msg"].replace("Input should", "should")) from None
    for field, wanted in (("unit", unit), ("version", version)):
        if getattr(found, field) != wanted:
            raise _damaged(path, field, "it is not the one that the file is named after")
    for field, why in faults(found):
        raise _damaged(path, field, why)
    return found


def _damaged(path: Path, field: str, why: str) -> DamagedError:
    remedy = "restore the file from the repository's history, or remove it and publish again: workunits publish"
    return DamagedError(f"{path}: {field + ': ' if field else ''}{why}; {remedy}", code="damaged_file", field=field)
