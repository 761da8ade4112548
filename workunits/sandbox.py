"""The strict workflow runner: a unit's file may import contracts and the core, and nothing that acts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from random import Random
from types import CodeType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy as Policy

from workunits.leftovers import apart, let_go

RUNTIME = ("activities", "inbox", "observability", "workers")
"""Our packages that act; a unit that imports one is refused when its worker is built."""


class _Again(Loader):
    """Executes the code of a unit's file."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def exec_module(self, module: ModuleType) -> None:
        """Execute it in a new module."""
        exec(self._code, module.__dict__)  # noqa: S102 - it is how Python itself imports a module


class _UnitFiles(MetaPathFinder):
    """Finds a unit's file again for each case, and reads it once.

    Looked for on the disk each time, it is compiled code of its own in every open case. Besides, all cases of a
    worker run the code that it began with, also when the file is changed under it.
    """

    def __init__(self) -> None:
        self._loaders: WeakKeyDictionary[ModuleType, _Again] = WeakKeyDictionary()
        self._making = threading.local()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """For the sandbox that this thread makes meanwhile."""
        module = sys.modules.get(name)
        if module is not None and module not in self._loaders:
            code = _code(module)
            if code is not None:
                self._loaders[module] = _Again(code)
        self._making.module = module if module in self._loaders else None
        try:
            yield
        finally:
            self._making.module = None

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """Only the unit's own file, and only for a sandbox."""
        module: ModuleType | None = getattr(self._making, "module", None)
        if module is None or module.__name__ != fullname or not workflow.unsafe.in_sandbox():
            return None
        known = module.__spec__
        spec = ModuleSpec(fullname, self._loaders[module], origin=known.origin if known else None)
        spec.has_location = spec.origin is not None
        return spec


def _code(module: ModuleType) -> CodeType | None:
    loader = module.__spec__ and module.__spec__.loader
    return loader.get_code(module.__name__) if isinstance(loader, InspectLoader) else None


_UNIT_FILES = _UnitFiles()
sys.meta_path.insert(0, _UNIT_FILES)


class StrictRunner(SandboxedWorkflowRunner):
    """The SDK's sandbox, asked for the context of a payload without entering it.

    The SDK asks some forty times in a case, and each time enters the sandbox, which compiles a string and patches
    every restricted built-in: a tenth of a case's cost. The question runs none of the unit's code.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make the sandbox of one case."""
        with _UNIT_FILES.of(det.defn.cls.__module__):
            sandbox: Any = super().create_instance(apart(det))
        inside = sandbox.globals_and_locals.get("__temporal_in_sandbox")
        # tests/core/test_sandbox.py fails when an SDK keeps it elsewhere
        if inside is None:
            return sandbox  # type: ignore[no-any-return]
        inside.instance._random = _Lots(det.randomness_seed)  # noqa: SLF001 - 2.5 kB in each case that draws none
        return _Case(sandbox, inside.instance)


class _Lots:
    """The random numbers of a case, made when it draws the first: few ever do."""

    __slots__ = ("_made", "_seed")

    def __init__(self, seed: int) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin anew."""
        self._seed: int = seed
        self._made: Random | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = Random(self._seed)  # noqa: S311 - the engine's own numbers
        return getattr(self._made, name)


class _Case(WorkflowInstance):
    """A case as its worker sees it."""

    def __init__(self, sandbox: WorkflowInstance, inside: Any) -> None:
        self._sandbox, self._inside = sandbox, inside

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Do one workflow task, and let go of its messages."""
        try:
            return self._sandbox.activate(act)
        finally:
            let_go(self._inside, self._sandbox.get_info())

    def get_info(self) -> Any:
        """See base class."""
        return self._sandbox.get_info()

    def get_serialization_context(self, command_info: Any) -> Any:
        """See base class."""
        return self._inside.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """See base class."""
        return self._inside.get_external_store_context(command_info)

    def get_thread_id(self) -> int | None:
        """See base class."""
        return self._sandbox.get_thread_id()


def strict_runner(*contracts: str) -> SandboxedWorkflowRunner:
    """Make the runner.

    Args:
        contracts: Modules of pydantic models that pass through: executed again for every case, they would
            double the memory of an open case. The unit's own file does not pass through, so that it stays guarded.
    """
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "workunits.core", "workunits.contracts", *contracts
    ).with_import_notification_policy(Policy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH | Policy.WARN_ON_DYNAMIC_IMPORT)
    return StrictRunner(restrictions=replace(restrictions, invalid_modules=SandboxMatcher(access=set(RUNTIME))))
