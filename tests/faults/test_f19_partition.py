"""F19: the network between us and the engine is cut, held, slow or forgets us; the engine freezes. All heals by itself."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest

from tests.faults.durable import GRANT, Durable, insist, remote
from tests.faults.proxy import Proxy

OUTAGE = 4.0
CASES = 6


async def main(fault): ...
