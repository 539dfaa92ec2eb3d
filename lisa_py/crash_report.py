"""Write a report of an unexpected error that can be attached to an issue, without the user's input."""

from __future__ import annotations

import os
import platform
import time
import traceback
from collections.abc import Sequence

from lisa_py import __version__
from lisa_py.contract.errors import LisaError
from lisa_py.host import env, files


def write_crash_report(problem: Exception, argv: Sequence[str]) -> LisaError:
    """Write the report and return the error to answer with; flag values stay out, they may hold prompts and tokens.

    Other secrets are redacted too: the report is meant to be attached to an issue.
    """
    from lisa_py.core.redact import redact  # noqa: PLC0415 - only when there is a surprise

    words = [word if word.startswith("--") and "=" not in word else "." for word in argv[2:]]
    text = "\n".join(
        (
            f"lisa {__version__}, Python {platform.python_version()}, {platform.platform()}",
            "call: lisa " + " ".join([*argv[:2], *words]),
            "".join(traceback.format_exception(problem)),
        )
    )
    path = os.path.join(env.read_settings().state_dir, "logs", f"crash-{int(time.time())}-{os.getpid()}.log")
    try:
        files.ensure_private_dir(os.path.dirname(path))
        files.write(path, redact.redact_secrets(text))
    except LisaError:
        path = "nowhere (the log could not be written)"
    return LisaError(
        "internal_error",
        redact.redact_secrets(f"{type(problem).__name__}: {problem} (a bug in lisa; details in {path})"),
        log=path,
    )
