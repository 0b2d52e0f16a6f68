"""A family as plain data, and back: what a model file says of the components."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from mixtura.families.base import Family
from mixtura.families.given import Given
from mixtura.families.mixed import MixtureOf
from mixtura.families.product import Block, Product
from mixtura.families.registry import FAMILIES, Spec, family
from mixtura.records import Equation
from mixtura.schema import read
from mixtura.store import StoreError

# Fields that are no plain values; the name and the Fit have them.
_ELSEWHERE = ("structure", "kind", "equations", "form", "pinned")


@dataclass(frozen=True)
class StoredFamily:
    """A family by name, with what else makes it: blocks of a product, parts of a mixture."""

    name: str
    settings: dict[str, Any]
    blocks: tuple[StoredBlock, ...] = ()
    parts: StoredFamily | None = None


@dataclass(frozen=True)
class StoredBlock:
    """One block of a product; columns are names or numbers, which `Block` checks."""

    family: StoredFamily
    columns: tuple[Any, ...]


def family_document(kind: Family) -> dict[str, Any]:
    """The family's name and settings; StoreError for one that no name stands for."""
    if isinstance(kind, Product):
        blocks = [
            {"family": family_document(block.family), "columns": list(block.columns)}
            for block in kind.blocks
        ]
        return {"name": "product", "settings": {}, "blocks": blocks}
    if isinstance(kind, MixtureOf):
        parts = family_document(kind.family)
        return {"name": "mixtureof", "settings": {"n": kind.n}, "parts": parts}
    if isinstance(kind, Given):
        return {"name": kind.name, "settings": {}}
    name = _name(kind)
    if name is None:
        raise StoreError(
            f"components of your own family {type(kind).__name__} cannot be saved by name: a file "
            f"knows {', '.join(sorted(FAMILIES))}. Name yours with mixtura.register_family"
        )
    settings = {k: v for k, v in kind.described().items() if k not in _ELSEWHERE}
    return {"name": name, "settings": settings}


def _name(kind: Family) -> str | None:
    """The name that stands for such a family: its own, or one that was registered."""
    try:
        if type(family(kind.name)) is type(kind):
            return kind.name
    except ValueError:
        pass
    return next((name for name, make in FAMILIES.items() if make is type(kind)), None)


def restored_family(document: Any, place: str, equations: tuple[Equation, ...] = ()) -> Family:
    """The family that `family_document` described; ValueError says what is wrong."""
    return _restored(read(StoredFamily, document, place), place, equations)


def restored_spec(stored: Any) -> Spec:
    """The setting `family` of a model file: a name, or what `family_document` described."""
    if isinstance(stored, str):
        family(stored)
        return stored
    return restored_family(stored, "settings.family")


def _restored(stored: StoredFamily, place: str, equations: tuple[Equation, ...]) -> Family:
    if stored.name == "product":
        return Product(
            tuple(
                Block(_restored(block.family, f"{place}.blocks[{i}]", ()), block.columns)
                for i, block in enumerate(stored.blocks)
            )
        )
    if stored.name == "mixtureof":
        if stored.parts is None or set(stored.settings) != {"n"}:
            raise ValueError(f"{place}: a mixture has parts, and settings of n alone")
        n = read(int, stored.settings["n"], f"{place}.settings.n")
        return MixtureOf(_restored(stored.parts, f"{place}.parts", equations), n)
    kind: Any = Given() if stored.name == "given" else family(stored.name)
    hints = get_type_hints(type(kind))
    held = {field.name for field in fields(kind)} if is_dataclass(kind) else set()
    allowed = held - set(_ELSEWHERE)
    settings = {}
    for name, value in stored.settings.items():
        if name not in allowed:
            raise ValueError(f"{place}.settings has an unknown {name!r}")
        settings[name] = read(hints[name], value, f"{place}.settings.{name}")
    if "equations" in held:
        settings["equations"] = equations
    restored: Family = replace(kind, **settings) if settings else kind
    return restored
