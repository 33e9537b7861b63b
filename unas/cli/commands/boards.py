# SPDX-License-Identifier: Apache-2.0
"""``unas-hil boards``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from unas.cli.options import FormatOption
from unas.cli.output import Format, note, print_json, print_table


def command(
    scan: Annotated[
        bool, typer.Option("--scan", help="Look for units on USB and write hardware_map.toml.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List the kinds of boards, and the units plugged in.

    Example: unas-hil boards --scan
    """
    from unas.board import list_boards, load_board
    from unas.hil.units import MAP_FILE, load_units, write_units
    from unas.hil.units import scan as scan_usb
    from unas.units import format_bytes

    boards = [load_board(board_id) for board_id in list_boards()]
    if scan:
        scanned = scan_usb(boards)
        if scanned:
            write_units(scanned)
            note(f"wrote {len(scanned)} units to {MAP_FILE}")
        else:
            note(
                f"no unit found on USB; {MAP_FILE} is left as it is; plug a board in and scan again"
            )
    units = load_units()
    rows: list[dict[str, Any]] = [
        {
            "id": board.id,
            "name": board.name,
            "core": board.core,
            "core_clock_hz": board.core_clock_hz,
            "flash_bytes": board.flash_bytes,
            "ram_bytes": board.ram_bytes,
            "virtual": board.virtual_machine is not None,
            "units": [unit.name for unit in units if unit.board == board.id],
        }
        for board in boards
    ]
    if output is Format.JSON:
        print_json(rows)
        return
    print_table(
        "Boards",
        ["id", "name", "core", "clock", "flash", "RAM", "virtual", "units"],
        [
            [
                row["id"],
                row["name"],
                row["core"],
                f"{row['core_clock_hz'] / 1e6:.0f} MHz",
                format_bytes(row["flash_bytes"]),
                format_bytes(row["ram_bytes"]),
                "yes" if row["virtual"] else "no",
                ", ".join(row["units"]) or "none",
            ]
            for row in rows
        ],
    )
