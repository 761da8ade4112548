"""What an installation gets: pinned, by hash, and listed."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ \\;]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_each_requirement_is_pinned_and_has_hashes(lock):
    """A package that is not the one that was locked is refused at installation, once any has a hash."""
    requirements = [
        block for block in re.split(r"\n(?=\S)", (ROOT / lock).read_text(encoding="utf-8")) if not block.startswith("#")
    ]

    assert len(requirements) > 50
    assert [block for block in requirements if not (PIN.match(block) and HASH.search(block))] == []


def test_the_bill_of_materials_lists_what_is_locked(tmp_path):
    """`make sbom`: each locked package, in its version, with its hashes, and nothing besides."""
    made = subprocess.run(
        ["make", "--silent", "sbom", f"SBOM_DIR={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (made.returncode, made.stderr) == (0, "")

    bill = json.loads((tmp_path / "workunits.cdx.json").read_text(encoding="utf-8"))
    locked = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    hashes = {
        one["content"] for part in bill["components"] for ref in part["externalReferences"] for one in ref["hashes"]
    }

    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "workunits")
    assert {(part["name"], part["version"]) for part in bill["components"]} == set(PIN.findall(locked))
    assert hashes == set(HASH.findall(locked))
