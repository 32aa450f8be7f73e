"""Settings as people set and see them: what each one takes, and what may be shown of it.

Loaded when somebody types it; the loop lives with what `config.fits`.
"""

from micropython import const

from lowtide.config import INT, SECRET, fits, point

# More kinds of setting than `config` knows.
_HOST = const("h")
_NET = const("n")
_URL = const("u")
_ID = const("d")
_POINTS = const("g")
_MORE = {
    SECRET: ", at least 8 or none",
    _HOST: ", no https://, no port",
    _NET: ": own address, mask, gateway and DNS, or none",
    _URL: ", https://...",
    _POINTS: ": RAW:PERMILLE, two or more, or none",
    _ID: " of A-Z a-z 0-9 + _ -",
}
_TOKEN = const("lwa.refresh_token")
_STAGE = const("device.stage")


def want(name):
    """Return in words what a setting takes. Raises ValueError as `config.point`."""
    kind, _, least, most = point(name)
    if kind == INT:
        return "a whole number from %d to %d" % (least, most)
    if "|" in kind:
        return kind.replace("|", " or ")
    return "%d to %d printable characters%s" % (least, most, _MORE.get(kind, ""))


def check(name, value):
    """Return `value` (text or number) as the setting's own type.

    Raises:
        ValueError: one line that names the setting, the limit and the remedy, never the value of
            a secret.
    """
    kind = point(name)[0]
    if kind == INT:
        text = str(value)
        value = int(text) if text.isdigit() and len(text) < 10 else None
    if fits(name, value) and (kind == INT or _is_written(kind, value)):
        return value
    raise ValueError("%s: want %s" % (name, want(name)))


def _is_written(kind, text):
    # Whether the text is written as its kind is.
    if kind == SECRET and 0 < len(text) < 8:
        return False
    if kind == _HOST and ("/" in text or ":" in text or " " in text):
        return False
    if kind == _URL and (" " in text or not text.startswith("https://")):
        return False
    if kind == _NET and text:
        numbers = text.replace(" ", ".").split(".")
        for number in numbers:
            if not number.isdigit() or int(number) > 255:
                return False
        return len(numbers) == 16 and text.count(" ") == 3
    if kind == _POINTS and text:
        return _are_points(text)
    return min(text or " ") >= " " and (kind != _ID or _is_id(text))


def _are_points(text):
    # As `gauge` takes them; two of one level would be that level for ever.
    raws, levels = set(), set()
    points = text.split()
    for each in points:
        try:
            raw, permille = map(int, each.split(":"))
        except ValueError:
            return False
        if not (0 <= permille <= 1000 and abs(raw) >> 31 == 0):
            return False
        raws.add(raw)
        levels.add(permille)
    return len(raws) == len(points) and len(levels) > 1


def _is_id(text):
    # Amazon's rule for a model and a serial number.
    for char in text:
        if char > "z" or not (char.isalpha() or char.isdigit() or char in "+_-"):
            return False
    return True


def change(config, values, heal):
    """Check and store several settings, all or none; they are in flash when this returns.

    `heal(name)` is told of each first: if power goes between the two, a device tries once too
    often, and does not wait for what it has.

    Return true if the registration was forgotten: its stage is fixed, so it goes with a change
    of that.

    Raises:
        ValueError: see `check` and `config.Config.update`; nothing changed.
        OSError: it could not be written; nothing changed.
    """
    checked = {}
    for name in values:
        checked[name] = check(name, values[name])
    stage = config[_STAGE]
    forgotten = checked.get(_STAGE, stage) != stage and config[_TOKEN] and _TOKEN not in values
    if forgotten:
        checked[_TOKEN] = ""
    for name in checked:
        heal(name)
    config.update(checked)
    return forgotten


def differs(config, name):
    """Return true if a setting differs from its default."""
    return config[name] != point(name)[1]


def shown(config, name):
    """Return what may be shown of a setting: the value, or whether a secret is set."""
    value = config[name]
    if point(name)[0] == SECRET:
        return "set" if value else "not set"
    return value


def about(name):
    """Return what a command or setting is for, an example, and of a setting range and default.

    Raises:
        ValueError: there is no such command or setting.
    """
    found = {"name": name}
    with open(__file__.rpartition("/")[0] + "/help.txt") as f:
        for line in f:
            # Name, what it is for, example.
            if line.startswith(name + "|"):
                _, found["help"], found["example"] = line.rstrip().split("|")
    try:
        found["want"], found["default"] = want(name), point(name)[1]
    except ValueError:
        if "help" not in found:
            raise ValueError("no such command or setting; see 'help', 'config'")
    return found
