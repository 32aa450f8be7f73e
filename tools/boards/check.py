"""Whether a board's pins can do what its `board.py` asks of them, and its files say the same."""

from lowtide import settings
from tools import image
from tools.boards import draw

# What MicroPython's own boards have in board.json (its tools read these).
_JSON = {"deploy", "deploy_options", "docs", "features", "images", "mcu", "product", "thumbnail"}
_JSON |= {"url", "vendor"}


def complaints(board):
    """Return what is wrong with the board, a line each; nothing wrong is an empty list."""
    wrong = _about(board) + _defaults(board)
    if board.json.get("mcu") is None or wrong:
        return wrong
    wrong = _constants(board.module)
    if wrong:
        return wrong
    uses = board.uses()
    for use in uses:
        wrong += [f"GPIO{use.pin}: {why}" for why in _pin(board.chip, use)]
    wrong += _twice(uses)
    if board.toml.get("part"):
        wrong += _wiring(board, {use.pin for use in uses})
    return wrong


def _about(board):
    from tools.boards.chips import CHIPS

    if board.json.get("mcu") not in CHIPS:
        return [
            f"board.json: no table for mcu {board.json.get('mcu')!r}; see tools/boards/chips.py"
        ]
    wrong = [f"board.json: {name} is missing" for name in sorted(_JSON - set(board.json))]
    offset = board.json.get("deploy_options", {}).get("flash_offset", "")
    if not wrong and int(offset or "-1", 0) != board.chip.flash_offset:
        wrong.append(
            f"board.json: flash_offset {offset} is not the chip's, {board.chip.flash_offset:#x}"
        )
    if board.toml.get("flash_mib") not in (4, 8, 16):
        wrong.append("board.toml: flash_mib: want 4, 8 or 16")
    return wrong


def _defaults(board):
    try:
        image.defaults(board.toml.get("defaults", {}), "board.toml")
    except image.ImageError as e:
        return str(e).splitlines()
    return []


def _constants(module):
    wrong = []
    if hasattr(module, "LED_PIN") and not hasattr(module, "LED_ON"):
        wrong.append("board.py: LED_PIN without LED_ON, the level that lights it: 1 or 0")
    try:
        # What a person's own calibration is held to, but that there must be one.
        is_table = settings.check("gauge.table", module.TABLE) != ""
    except (AttributeError, ValueError):
        is_table = False
    if not is_table:
        wrong.append("board.py: TABLE: want two points or more, RAW:PERMILLE, blanks between")
    return wrong


def _pin(chip, use):
    if use.pin not in chip.exists:
        return [f"{chip.name} modules have no such pin"]
    wrong = [
        f"not free on {chip.name}: {why}" for why, pins in chip.taken.items() if use.pin in pins
    ]
    if use.kind == "out" and use.pin in chip.input_only:
        wrong.append("an output, but this pin is input only")
    if use.kind == "pulled" and use.pin in chip.input_only:
        wrong.append("wants a pull resistor, but this pin has none inside: fit one, ask for none")
    if use.kind == "wake" and use.pin not in chip.rtc:
        wrong.append("is to wake the chip, which only RTC pins can")
    if use.kind == "adc" and use.pin in chip.adc2:
        wrong.append("on ADC2, which cannot be used with Wi-Fi; take a pin of ADC1")
    elif use.kind == "adc" and use.pin not in chip.adc1:
        wrong.append("no ADC on this pin")
    return wrong


def _twice(uses):
    pins = [use.pin for use in uses if use.kind != "wake"]
    return [f"GPIO{pin}: used twice" for pin in sorted(set(pins)) if pins.count(pin) > 1]


def _wiring(board, used):
    wrong = []
    wired = draw.wired_pins(board)
    wrong += [f"GPIO{pin}: used by board.py, not in board.toml" for pin in sorted(used - wired)]
    wrong += [f"GPIO{pin}: in board.toml, not used by board.py" for pin in sorted(wired - used)]
    for name, text in draw.drawings(board).items():
        path = board.folder / name
        if not path.exists() or path.read_text() != text:
            remedy = ".venv/bin/python -m tools.boards draw"
            wrong.append(f"{name} is not what board.toml says: {remedy}")
    return wrong
