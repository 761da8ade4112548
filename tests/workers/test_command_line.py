"""What holds for every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from workers.cli import app


def commands(group: Any, path: str = "workunits") -> Iterator[tuple[str, Any]]:
    """Every command with the words that are typed for it."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(("typed", "command"), ALL, ids=[typed for typed, _ in ALL])
def test_every_command_speaks_json_and_says_what_it_does(typed, command):
    """Programs read any command; people read one sentence about it."""
    assert any("--json" in parameter.opts for parameter in command.params), typed
    assert (command.help or "").endswith("."), typed
