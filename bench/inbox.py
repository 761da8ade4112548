"""The inbox under a hundred thousand open tasks: a page from the ledger, and the same over HTTP.

The rows are made, the ledger, the journal, the server and the client are real; nothing asks the engine.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from sqlalchemy import insert

from bench.approval import Approval
from inbox.app import make_app
from inbox.directory import Directory
from inbox.doors import Doors
from inbox.journal import Journal
from inbox.limits import Limits, Rate
from inbox.listing import Listing
from inbox.sessions import Ended
from inbox.wanted import Scope, Viewer, Wanted
from observability.ledger.store import Ledger
from observability.ledger.tables import cases, tasks
from workers.ports import LOOPBACK, free_ports
from workunits.client import Cases
from workunits.registry import Catalog, Package
