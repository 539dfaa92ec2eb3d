"""Generate unused session names that show project, time, agent and mode."""

from __future__ import annotations

import os

from lisa_py.core.context import Context
from lisa_py.host.clock import local_stamp
from lisa_py.store.paths import Project, make_slug

TAG_LENGTH = 16


def generate_name(ctx: Context, project: Project, agent: str, mode: str, tag: str = "") -> str:
    """Return `lisa-<slug>-<YYMMDD-HHMMSS>-<nine digits>-<agent>-<mode>[-<tag>]`, in local time.

    The first six of the nine digits are microseconds, the resolution of the clock; the rest is random, so that callers
    of the same instant get different names.
    """
    now = ctx.clock.now()
    micros = int(now % 1 * 1_000_000)
    random_part = int.from_bytes(os.urandom(4), "big") % 1000
    parts = ["lisa", project.slug, local_stamp(now), f"{micros:06d}{random_part:03d}", agent, mode]
    if tag.strip():
        parts.append(make_slug(tag, TAG_LENGTH))
    return "-".join(parts)
