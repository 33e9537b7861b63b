# SPDX-License-Identifier: Apache-2.0
"""The UNITS on the desk: ``hardware_map.toml``, local and never committed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unas._text import parse_toml
from unas.board import Board
from unas.errors import ConfigError

MAP_FILE = Path("hardware_map.toml")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEYS = {"name", "board", "port", "probe_serial"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One board on the desk.

    Attributes:
        name: What ``--unit`` takes.
        board: Id of its kind.
        port: Serial port, by a path that stays the same over a replug (``/dev/serial/by-id/…``).
        probe_serial: Serial number of its debug probe: which board is flashed.
    """

    name: str
    board: str
    port: str
    probe_serial: str


def load_units(path: Path = MAP_FILE) -> tuple[Unit, ...]:
    """The units in the map; none if there is no map.

    Raises:
        ConfigError: The map cannot be used.
    """
    try:
        data = parse_toml(path.read_bytes().decode(), str(path))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; correct it or scan again") from error
    rows = data.pop("unit", [])
    if data or not isinstance(rows, list):
        raise ConfigError(
            f"{path}: only [[unit]] tables belong there, found {sorted(data)}; remove it"
        )
    units = tuple(_unit(row, path) for row in rows)
    names = [unit.name for unit in units]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: two units share a name; rename one")
    return units


def _unit(row: Mapping[str, Any], path: Path) -> Unit:
    if not isinstance(row, dict) or set(row) != _KEYS:
        raise ConfigError(f"{path}: a [[unit]] has exactly the keys {sorted(_KEYS)}; correct it")
    if not all(isinstance(value, str) for value in row.values()) or not _NAME.fullmatch(
        row["name"]
    ):
        raise ConfigError(f"{path}: unit values are text, names match {_NAME.pattern}; correct it")
    return Unit(**row)


def choose_unit(board: Board, name: str | None, units: Iterable[Unit]) -> Unit | None:
    """The unit to use.

    Args:
        board: Kind of board that is wanted.
        name: What the user asked for; None takes the first of this kind whose port is there.
        units: Units of the map.

    Returns:
        None if no name was given and no unit of this kind is plugged in.

    Raises:
        ConfigError: The named unit is unknown, of another kind, or not plugged in.
    """
    candidates = [unit for unit in units if unit.board == board.id]
    if name is None:
        return next((unit for unit in candidates if Path(unit.port).exists()), None)
    for unit in candidates:
        if unit.name == name:
            if not Path(unit.port).exists():
                raise ConfigError(
                    f"unit {name}: {unit.port} is not there; plug it in or scan again"
                )
            return unit
    known = ", ".join(unit.name for unit in candidates) or "none"
    raise ConfigError(
        f"no unit {name!r} of board {board.id} in {MAP_FILE} (known: {known}); "
        "write the map with: unas-hil boards --scan"
    )


def scan(boards: Iterable[Board]) -> tuple[Unit, ...]:
    """Units found on USB, by the ids in the board files.

    A probe tells which probe it is, not which board it sits on: where several kinds share an id,
    each gets an entry, and the user deletes the wrong ones; the firmware's INFO has the last word.
    """
    from serial.tools import list_ports  # slow to import and only needed here

    units: list[Unit] = []
    for port in list_ports.comports():
        if port.vid is None or port.pid is None:
            continue
        usb_id = f"{port.vid:04x}:{port.pid:04x}"
        for board in boards:
            if usb_id in board.usb_ids:
                serial = re.sub(r"[^0-9A-Za-z]", "", port.serial_number or "")
                name = f"{board.id}-{serial[-6:] or len(units)}"
                units.append(Unit(name, board.id, _stable_path(port.device), serial))
    return tuple(units)


def _stable_path(device: str) -> str:
    by_id = Path("/dev/serial/by-id")
    if by_id.is_dir():
        for link in sorted(by_id.iterdir()):
            if link.resolve() == Path(device).resolve():
                return str(link)
    return device


def write_units(units: Iterable[Unit], path: Path = MAP_FILE) -> None:
    """Write the map. JSON strings are valid TOML basic strings."""
    lines = ["# Units on this desk, written by: unas-hil boards --scan"]
    for unit in units:
        lines += ["", "[[unit]]"]
        lines += [f"{key} = {json.dumps(getattr(unit, key))}" for key in ("name", "board", "port")]
        lines += [f"probe_serial = {json.dumps(unit.probe_serial)}"]
    path.write_text("\n".join(lines) + "\n")
