"""What can come of loading a file and of calling the service: shared by I/O and decisions."""

OK = 0
ABSENT = 1
CORRUPT = 2
NEWER = 3


class Fault(Exception):
    """Not finished, outcome of the call unknown: try again later. `wait_s`: Retry-After or 0."""

    wait_s = 0


class Insecure(Fault):
    """The peer did not prove who it is: nothing was sent to it, nor is it asked again soon."""

    wait_s = 7200


class Refused(Exception):
    """Refused for certain (4xx): nothing was done. `block`: what that blocks, or None."""

    def __init__(self, why, block=None):
        super().__init__(why)
        self.block = block


class Rejected(Refused):
    """The access token was not accepted; the call was not looked at."""


class Revoked(Exception):
    """The refresh token is no longer valid: a person has to register the device again."""
