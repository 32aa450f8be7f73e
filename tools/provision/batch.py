"""A batch: the CSV file with a row for each board, and which board gets which row."""

import csv

from tools.provision.settings import SERIAL, InputError, checked, is_secret, private


def rows(path):
    """Return `{serial: settings}` of a CSV file, in its order; the first line names the settings.

    Raises:
        InputError: it cannot be read, a serial number is missing or there twice, a board would
            not take a value, or it holds a secret and others may read it.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # Where the comma is the decimal point, spreadsheets write semicolons.
            delimiter = ";" if ";" in first and "," not in first else ","
            lines = list(csv.reader(file, delimiter=delimiter, strict=True))
    except OSError as e:
        raise InputError(f"{path}: {e.strerror}") from e
    except (UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: not CSV in UTF-8: {e}") from e
    header = [name.strip() for name in lines[0]] if lines else []
    if SERIAL not in header:
        raise InputError(f"{path}: the first line must name the columns, {SERIAL} among them")
    if len(set(header)) < len(header):
        raise InputError(f"{path}: two columns of one name")
    found = _rows(path, header, lines)
    if any(is_secret(name) for name in header):
        private(path)
    return found


def _rows(path, header, lines):
    found, wrong, number_of = {}, [], {}
    for number, cells in enumerate(lines[1:], 2):
        where = f"{path}: line {number}"
        try:
            row = _row(header, [cell.strip() for cell in cells], where)
        except InputError as e:
            wrong += e.lines
            continue
        serial = row.get(SERIAL)
        if serial in number_of:
            wrong.append(f"{where}: {serial} is in line {number_of[serial]} already; keep one")
        elif row:
            number_of[serial] = number
            found[serial] = row
    if not (found or wrong):
        wrong.append(f"{path}: no board in it, only the names of the columns")
    if wrong:
        raise InputError(*wrong)
    return found


def _row(header, cells, where):
    # An empty cell leaves it to the file of settings, an empty line is none.
    row = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
    if len(cells) > len(header):
        raise InputError(f"{where}: more cells than columns")
    if row and SERIAL not in row:
        raise InputError(f"{where}: no {SERIAL}")
    return checked(row, where)


def allocate(serials, carried, taken):
    """Return `({port: serial}, {port: why none})` for boards that carry `{port: serial or ""}`.

    A board that carries one of `serials` keeps it. The others get, in the order of the ports, the
    first that is neither carried by a board here nor in `taken`: those may be on boards elsewhere.
    """
    given, refused = {}, {}
    here = list(carried.values())
    free = [serial for serial in serials if serial not in taken and serial not in here]
    for port, serial in carried.items():
        if serial and here.count(serial) > 1:
            refused[port] = f"{serial} is on two boards here; one is a copy: factory-reset it"
        elif serial in serials:
            given[port] = serial
        elif serial:
            refused[port] = f"it is {serial}, which is not of this batch; factory-reset it first"
        elif free:
            given[port] = free.pop(0)
        else:
            refused[port] = "no serial number is left in the CSV file"
    return given, refused
