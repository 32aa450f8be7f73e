"""Where the sources disagree or are silent: one option each, kept in the state file.

`TABLE` is the only list; tools/README.md prints it, with the section of the protocol page.
"""

import re

from tools.drs_sim.inputs import BadInput


class _Choice:
    def __init__(self, default, *others):
        self.default = default
        self.values = (default, *others)

    def parse(self, text):
        if text not in self.values:
            raise ValueError(f"must be one of {', '.join(self.values)}")
        return text

    def __str__(self):
        return ", ".join(f"`{value}`" for value in sorted(self.values))


class _Whole:
    def __init__(self, default, low, high):
        self.default, self._low, self._high = default, low, high

    def parse(self, text):
        value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
        if not self._low <= value <= self._high:
            raise ValueError(f"must be a whole number from {self._low} to {self._high}")
        return value

    def __str__(self):
        return f"{self._low} to {self._high}"


class _Text:
    def __init__(self, default, pattern, meaning):
        self.default, self._pattern, self._meaning = default, re.compile(pattern), meaning

    def parse(self, text):
        if not self._pattern.fullmatch(text):
            raise ValueError(f"must be {self._meaning}")
        return text

    def __str__(self):
        return self._meaning


TABLE = {
    "version_headers": _Choice("strict", "given", "ignored"),
    "status_line": _Choice("ok", "accepted"),
    "inprogress_id": _Choice("open", "fresh", "none"),
    "unsubscribed_status": _Whole(400, 400, 499),
    "numbers": _Choice("any", "integers"),
    "dates": _Choice("iso", "strict", "any"),
    "device_status_path": _Choice("plain", "with-id"),
    "status_vocabulary": _Choice("newest", "middle", "oldest"),
    "test_order_path": _Choice("d18", "both"),
    "cancel_test_on_real": _Choice("refused", "ignored"),
    "cancel_test_notifies": _Choice("no", "yes"),
    "test_order_hours": _Whole(0, 0, 100_000),
    "unsubscribe_order": _Choice("keeps", "cancels"),
    "deregister_order": _Choice("keeps", "cancels"),
    "ship_after_hours": _Whole(30, 0, 10_000),
    "deliver_after_hours": _Whole(72, 0, 10_000),
    "redirect_uris": _Text(
        "loopback", r"loopback|[!-~]+", "`loopback`, or URLs with commas between"
    ),
    "model_live": _Choice("yes", "no"),
    "rotation": _Choice("no", "yes", "old-stays"),
    "refresh_without_secret": _Choice("allowed", "refused"),
    "invalid_client_status": _Choice("401", "400"),
    "token_errors": _Choice("new", "old"),
    "access_token_s": _Whole(3600, 1, 3600),
    "payload_version": _Choice("2", "1"),
    "client_id_key": _Choice("lwaClientId", "LWAClientId"),
    "message_attributes": _Choice("sns", "docs"),
    "signature_version": _Choice("1", "2"),
    "sns_host": _Text("own", r"own|[A-Za-z0-9.-]+(:[0-9]{1,5})?", "`own`, or a host or host:port"),
    "sns_order": _Choice("published", "reversed", "shuffled"),
    "sns_duplicate_percent": _Whole(0, 0, 100),
}


class Options:
    """The chosen values by name; numbers are ints, everything else is text."""

    def __init__(self, store):
        self._store = store
        kept = store.get_meta("options", {})
        self._values = {name: kept.get(name, spec.default) for name, spec in TABLE.items()}

    def __getitem__(self, name: str):
        return self._values[name]

    def as_dict(self) -> dict:
        """Return every option with its value."""
        return dict(self._values)

    def change(self, given) -> None:
        """Take some new values, or none of them. Raises BadInput."""
        self._values = self._values | parse(given)
        self._store.set_meta("options", self._values)


def parse(given) -> dict:
    """Return the checked values of some options. Raises BadInput."""
    if not isinstance(given, dict):
        raise BadInput("body: must be a JSON object of options")
    checked = {}
    for name, value in given.items():
        if name not in TABLE:
            raise BadInput(f"option {name}: no such option")
        try:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise ValueError("must be text or a whole number")
            checked[name] = TABLE[name].parse(str(value))
        except ValueError as error:
            raise BadInput(f"option {name}: {error}") from error
    return checked
