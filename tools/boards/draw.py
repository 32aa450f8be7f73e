"""A board's wiring as a picture and as a table, both from `board.toml`."""

import re
from html import escape

_ROW, _LEFT, _WIDTH = 22, 250, 310
_GAP, _MARGIN = 120, 16
_COLOURS = {"GND": "#333", "3V3": "#c62828", "5V": "#c62828", "BAT": "#c62828"}
_SIGNALS = ("#1565c0", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f")


def wired_pins(board):
    """Return the GPIO numbers that are wired."""
    pins = set()
    for part in board.toml["part"]:
        for pin, _ in part["wires"]:
            if found := re.fullmatch(r"GPIO(\d+)", pin):
                pins.add(int(found[1]))
    return pins


def drawings(board):
    """Return `{file name: text}` of the table and the picture."""
    return {"wiring.md": table(board), "wiring.svg": svg(board)}


def table(board):
    """Return the wiring as Markdown."""
    lines = [
        f"# {board.name}: wiring",
        "",
        f"{board.json['product']}, {board.toml['flash_mib']} MB of flash. "
        "Drawn from `board.toml` by `python -m tools.boards draw`.",
        "",
        "![wiring](wiring.svg)",
        "",
        "| pin | goes to | of |",
        "|---|---|---|",
    ]
    for part in board.toml["part"]:
        lines += [f"| {pin} | {to} | {part['name']} |" for pin, to in part["wires"]]
    lines.append("")
    lines += [f"- {note}" for note in board.toml.get("notes", [])]
    return "\n".join(lines).rstrip() + "\n"


def svg(board):
    """Return the wiring as SVG: the module on the left, each part in a box on the right."""
    parts = board.toml["part"]
    rows = sum(len(part["wires"]) + 2 for part in parts) + 1
    height = rows * _ROW + 2 * _MARGIN
    width = _MARGIN * 2 + _LEFT + _GAP + _WIDTH
    right = _MARGIN + _LEFT + _GAP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(board.name)}: wiring</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _box(_MARGIN, _MARGIN, _LEFT, height - 2 * _MARGIN, "#eceff1"),
        _text(_MARGIN + 10, _MARGIN + 20, board.json["product"], "font-weight='bold'"),
    ]
    y, signal = _MARGIN + _ROW, 0
    for part in parts:
        wires = part["wires"]
        out.append(_box(right, y, _WIDTH, (len(wires) + 1) * _ROW + 6, "#fff8e1"))
        out.append(_text(right + 10, y + 17, part["name"], "font-weight='bold'"))
        for pin, to in wires:
            y += _ROW
            colour = _COLOURS.get(pin)
            if colour is None:
                colour, signal = _SIGNALS[signal % len(_SIGNALS)], signal + 1
            out.append(_text(_MARGIN + _LEFT - 10, y + 17, pin, "text-anchor='end'"))
            out.append(
                f'<path d="M{_MARGIN + _LEFT} {y + 13}H{right}" stroke="{colour}" '
                'stroke-width="2.5"/>'
            )
            out.append(_text(right + 10, y + 17, to, ""))
        y += 2 * _ROW
    return "\n".join([*out, "</svg>"]) + "\n"


def _box(x, y, width, height, fill):
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
        'stroke="#546e7a"/>'
    )


def _text(x, y, text, style):
    style = style.replace("'", '"')
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'.replace(" >", ">")
