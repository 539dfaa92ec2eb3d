"""Send one small message over HTTP, with a time limit and without redirects."""

from __future__ import annotations

from collections.abc import Mapping


def post(url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> str:
    """POST the body; return an empty string after a 2xx status, else the failure."""
    import http.client  # noqa: PLC0415 - slow to load, and only webhooks need it
    import urllib.error  # noqa: PLC0415 - as above
    import urllib.request  # noqa: PLC0415 - as above

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None  # the message goes only to the given address

    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=timeout) as answer:
            return "" if 200 <= answer.status < 300 else f"{url} answered {answer.status}"
    except urllib.error.HTTPError as problem:
        problem.close()
        return f"{url} answered {problem.code}"
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return f"{url}: {getattr(problem, 'reason', None) or problem}"
