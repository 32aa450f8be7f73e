"""The wire log: the last requests with their answers, kept in memory, shown without a secret."""

import re
from collections import OrderedDict
from dataclasses import dataclass

_KEPT = 200
_BODY_LIMIT = 2048
_SECRETS = "access_token|refresh_token|client_secret|code_verifier|code_challenge|code|Token"
_SECRET_HEADERS = ("cookie", "set-cookie", "proxy-authorization")
_HIDDEN = "•••"
_TOKEN = re.compile(r"\b(Atz[ar])(\||%7[Cc])[^\s\"'&,;]+")
_FORM = re.compile(rf"(?<![A-Za-z0-9_])({_SECRETS})=[^&\s\"']+")
_JSON = re.compile(rf'"({_SECRETS})"(\s*:\s*)"(?:[^"\\]|\\.)*"?')


@dataclass(frozen=True)
class Exchange:
    """One request and the answer meant for it, as a person may see them."""

    request_line: str
    request_headers: list[tuple[str, str]]
    request_body: str
    status: int
    answer_headers: list[tuple[str, str]]
    answer_body: str


class Wire:
    """Keeps what `requests` in the books does not: headers and bodies of the last exchanges."""

    def __init__(self):
        self._kept = OrderedDict()

    def keep(self, seq: int, call, response) -> None:
        """Keep one exchange under its number in the books; masking waits until it is looked at."""
        scope = call.scope
        line = (scope["method"], scope["path"], scope["query_string"])
        sent = (bytes(call.body[: _BODY_LIMIT * 2]), len(call.body))
        answered = (response.body[: _BODY_LIMIT * 2], len(response.body))
        self._kept[seq] = (line, scope["headers"], sent, response, answered)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def exchange(self, seq: int) -> Exchange | None:
        """Return an exchange without its secrets; None once it is forgotten."""
        if seq not in self._kept:
            return None
        if not isinstance(self._kept[seq], Exchange):
            self._kept[seq] = _exchange(*self._kept[seq])
        return self._kept[seq]


def mask(text: str) -> str:
    """Hide every token, code and secret of a query, a form or JSON; the names stay."""
    text = _JSON.sub(rf'"\1"\2"{_HIDDEN}"', text)
    text = _FORM.sub(rf"\1={_HIDDEN}", text)
    return _TOKEN.sub(rf"\1|{_HIDDEN}", text)


def _exchange(line, headers, sent, response, answered):
    method, path, query = line
    target = f"{path}?{query.decode('latin-1')}" if query else path
    return Exchange(
        mask(f"{method} {target}"),
        _masked_headers(headers),
        _masked_body(*sent),
        response.status_code,
        _masked_headers(response.raw_headers),
        _masked_body(*answered),
    )


def _masked_headers(raw):
    return [_masked_header(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]


def _masked_header(name, value):
    if name.lower() == "authorization":
        kind, _, _ = value.partition(" ")
        value = f"{kind} {_HIDDEN}" if " " in value else _HIDDEN
    elif name.lower() in _SECRET_HEADERS:
        value = _HIDDEN
    return name, mask(value)


def _masked_body(kept, length):
    # Masked before it is cut, so that the cut leaves no half of a secret's name.
    text = mask(kept.decode("utf-8", "replace"))
    if length > len(kept) or len(text) > _BODY_LIMIT:
        return f"{text[:_BODY_LIMIT]} … {length} bytes in all"
    return text
