"""Words for people, about commands and settings. Loaded when somebody wants them."""

from lowtide.config import HOST, ID, INT, NET, URL, point


def want(name):
    """Return in words what a setting takes. Raises ValueError as `config.point`."""
    kind, _, least, most = point(name)
    if kind == INT:
        return "a whole number from %d to %d" % (least, most)
    if "|" in kind:
        return kind.replace("|", " or ")
    text = "%d to %d printable characters" % (least, most)
    if kind == HOST:
        text += ", without https:// or port"
    elif kind == NET:
        text += ": four addresses (own, mask, gateway, DNS) or none"
    elif kind == URL:
        text += ", https://..."
    elif kind == ID:
        text += " of A-Z a-z 0-9 + _ -"
    return text


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
            raise ValueError("no such command or setting; see 'help' and 'config'")
    return found
