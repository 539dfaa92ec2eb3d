"""Signals without the enumerations of the signal module, which would double the time a start takes."""

try:
    import _signal as plain  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # another Python than CPython
    import signal as plain

SIG_DFL, SIG_IGN = plain.SIG_DFL, plain.SIG_IGN
SIGHUP, SIGKILL, SIGTERM = int(plain.SIGHUP), int(plain.SIGKILL), int(plain.SIGTERM)
signal = plain.signal


def signal_number(name: str) -> int:
    """Return the number of TERM or SIGTERM."""
    return int(getattr(plain, "SIG" + name.upper().removeprefix("SIG")))
