"""Replaces functions of MiniStack and knows for which code each replacement was written."""

import functools
import hashlib
import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Callable

_patches: list["Patch"] = []


@dataclass
class Patch:
    """A function of MiniStack, and what stands in for it."""

    module: ModuleType
    attribute: str
    original: Callable
    replacement: Callable
    written_for: str
    """The fingerprint of the original that the replacement was written for."""
    follows: str
    """The document that says what AWS does."""

    @property
    def name(self) -> str:
        return f"{self.module.__name__.rsplit('.', 1)[-1]}.{self.attribute}"

    def install(self) -> None:
        self._put(self.original, self.replacement)

    def remove(self) -> None:
        self._put(self.replacement, self.original)

    def _put(self, old: Callable, new: Callable) -> None:
        setattr(self.module, self.attribute, new)
        # Tables of handlers that were built when the module was imported hold the function itself.
        for table in list(vars(self.module).values()):
            if isinstance(table, dict):
                for key, handler in list(table.items()):
                    if handler is old:
                        table[key] = new


def replaces(module: ModuleType, attribute: str, *, written_for: str, follows: str):
    """Lets a function stand in for one of MiniStack's. It gets the original as its first argument."""

    def register(function: Callable) -> Callable:
        original = getattr(module, attribute)
        replacement = functools.partial(function, original)
        _patches.append(Patch(module, attribute, original, replacement, written_for, follows))
        return function

    return register


def patches() -> list[Patch]:
    """Every patch, in the order of registration."""
    return list(_patches)


def fingerprint(function: Callable) -> str:
    """Twelve hex digits of a function's source text."""
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]


def changed() -> list[str]:
    """A line for each patch whose original is not the code that the patch was written for."""
    return [
        f"{patch.name}: the patch was written for {patch.written_for}, this MiniStack has {fingerprint(patch.original)}"
        for patch in _patches
        if fingerprint(patch.original) != patch.written_for
    ]


def install() -> None:
    """Puts every replacement in place."""
    for patch in _patches:
        patch.install()
