"""The directory as the watchdog reads it: one that is broken is a finding, and what was read before stays in force."""

from __future__ import annotations

from inbox.directory import Directory
from inbox.files import FileError
from workers.settings import Settings
from workers.watching.finding import Finding


class People:
    """Who is who, if the settings say it."""

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet."""
        self._path = settings.directory
        self._directory: Directory | None = None

    def look(self) -> tuple[Directory | None, list[Finding]]:
        """The directory in force, if there is one, and what is wrong with its file."""
        if self._path is None:
            return None, []
        if self._directory is None:
            try:
                self._directory = Directory.watch(self._path)
            except FileError as error:
                return None, [_broken(str(error), "until then nobody's tasks are judged")]
        self._directory.roster  # noqa: B018 - looks whether the file has changed
        why = self._directory.error
        return self._directory, [_broken(why, "what was read before stays in force")] if why else []


def _broken(why: str, meanwhile: str) -> Finding:
    return Finding("directory_broken", why, f"mend the file; {meanwhile}")
