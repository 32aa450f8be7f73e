"""What is to be set: a file of settings, and secrets from elsewhere, all checked on the host."""

import difflib
import os
import stat
import tomllib

import yaml

from lowtide.config import names, point
from lowtide.settings import SECRET, check

SERIAL = "device.serial"


class InputError(Exception):
    """Input that cannot be used; no board was touched. `lines`: one for each thing to mend."""

    def __init__(self, *lines):
        super().__init__("\n".join(lines))
        self.lines = lines


class _Yaml(yaml.BaseLoader):
    """Every value is text, as typed on the console: 0012 stays 0012, and no is not false."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"{key.value} is there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def is_secret(name):
    """Say whether a setting is one that nobody may read back."""
    return point(name)[0] == SECRET


def variable(name):
    """Return the environment variable that a secret may come from."""
    return "LOWTIDE_" + name.upper().replace(".", "_")


def settings(path):
    """Return the settings of a TOML or YAML file, checked, as the firmware keeps them.

    Raises:
        InputError: it cannot be read, or holds what no board would take, or a secret.
    """
    found = _read(path)
    lines = [
        f"{path}: {name}: a secret has no place in this file; set {variable(name)} in the "
        "environment, or put it into a file of mode 0600 and name that with SECRETS=FILE"
        " (--secrets FILE)"
        for name in found
        if name in names() and is_secret(name)
    ]
    return checked(found, path, lines)


def secrets(path, environ):
    """Return the secrets of a private file (None: there is none) and of the environment.

    What the environment says counts.

    Raises:
        InputError: as `settings`; others may read the file, or it holds more than secrets.
    """
    found = {}
    if path:
        private(path)
        found = _read(path)
        lines = [
            f"{path}: {name}: not a secret; its place is the file of settings"
            for name in found
            if name in names() and not is_secret(name)
        ]
        found = checked(found, path, lines)
    given = {name: environ.get(variable(name)) for name in names() if is_secret(name)}
    given = {name: value for name, value in given.items() if value is not None}
    return found | checked(given, "environment")


def private(path):
    """Make sure that nobody else can read the file.

    Raises:
        InputError: somebody can, or it is not there.
    """
    try:
        found = os.stat(path)
    except OSError as e:
        raise InputError(f"{path}: {e.strerror}") from e
    if found.st_uid != os.geteuid():
        raise InputError(f"{path}: holds secrets and belongs to somebody else; make it yours")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise InputError(
            f"{path}: holds secrets, and others may open it (mode {mode:04o}): chmod 600 {path}"
        )


def checked(found, where, wrong=()):
    """Return `{name: value}` as the firmware would keep it.

    Raises:
        InputError: a line for each that it would not, and those in `wrong`.
    """
    wrong, good = list(wrong), {}
    for name, value in found.items():
        try:
            good[name] = check(name, value)
        except ValueError as e:
            wrong.append(f"{where}: {_explained(name, value, str(e))}")
    if wrong:
        raise InputError(*wrong)
    return good


def _explained(name, value, why):
    if name not in names():
        near = difflib.get_close_matches(name, list(names()), 1)
        hint = f"did you mean {near[0]}?" if near else "'config' on a board lists them"
        return f"{name}: unknown setting; {hint}"
    if isinstance(value, bool | int | float) and point(name)[1] == "":
        return f"{why}; put it in quotes"
    return why


def _read(path):
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
    reader = readers.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: want a file that ends in {', '.join(readers)}")
    try:
        tree = reader(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise InputError(f"{path}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not UTF-8") from e
    except ValueError as e:
        raise InputError(f"{path}: {e}") from e
    if not isinstance(tree, dict):
        raise InputError(f"{path}: want settings, a name and a value each")
    return _flat(tree, path)


def _toml(text):
    return tomllib.loads(text)


def _yaml(text):
    # Not the error's own text: that quotes the line, and the line may hold a secret.
    try:
        return yaml.load(text, _Yaml) or {}
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else "?"
        raise ValueError(f"{e.problem} (at line {line})") from e
    except yaml.YAMLError as e:
        raise ValueError("not YAML") from e


def _flat(tree, path, prefix=""):
    # {"wifi": {"ssid": x}}, as TOML has it, and {"wifi.ssid": x} are the same.
    found = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            more = _flat(value, path, f"{prefix}{name}.")
        else:
            more = {f"{prefix}{name}": value}
        twice = found.keys() & more.keys()
        if twice:
            raise InputError(f"{path}: {min(twice)}: is there twice; keep one")
        found |= more
    return found
