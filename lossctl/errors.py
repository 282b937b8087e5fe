"""What can go wrong, in three parts: what happened and where, why it matters, how to fix it."""


class LossctlError(Exception):
    """A fault that the user can mend. Each kind has one exit code, which the command line knows."""

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        parts = (("", self.what), ("why: ", self.why), ("fix: ", self.fix))
        return "\n".join(label + text for label, text in parts if text)


class UsageError(LossctlError):
    """The command or the call is wrong: an unknown loss, an option out of range, two sources for a role."""


class DataError(LossctlError):
    """The input is readable but cannot be used: NaN, unequal lengths, a label outside the classes."""


class FileError(LossctlError):
    """A file cannot be opened, read or written."""


class DeviceError(LossctlError):
    """The device or backend that was asked for is not available here."""
