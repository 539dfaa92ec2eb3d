"""Detect tokens by their format: the vendor prefix and the length of the rest.

The prefixes are documented by the vendors and used by public secret scanners.

"""

from __future__ import annotations

import re

_ANY = "[A-Za-z0-9_-]"
_PLAIN = "[A-Za-z0-9]"
_HEX = "[a-f0-9]"
_BASE64 = "[A-Za-z0-9+/=_-]"

_TOKEN_FORMATS = (
    # models
    rf"sk-(?:[a-z0-9]+-)*{_ANY}{{16,}}",
    rf"(?:gsk|hf|r8)_{_PLAIN}{{20,}}|(?:xai|pplx)-{_PLAIN}{{32,}}",
    # clouds
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}|LTAI[A-Za-z0-9]{16,}|AKID[A-Za-z0-9]{32}",
    rf"AIza{_ANY}{{30,}}|ya29\.{_ANY}{{20,}}|1//0{_ANY}{{40,}}|GOCSPX-{_ANY}{{20,}}|YCAJE{_ANY}{{30,}}",
    rf"do[op]_v1_{_HEX}{{40,}}|dapi{_HEX}{{32}}|v1\.0-{_ANY}{{40,}}|fo1_{_ANY}{{30,}}|FlyV1 fm\d_{_BASE64}{{40,}}",
    rf"(?:rnd|nfp|live|re)_{_PLAIN}{{24,}}|sbp_{_HEX}{{40}}|pscale_(?:tkn|pw|oauth)_{_ANY}{{32,}}",
    rf"tskey-[a-z]+-{_ANY}{{20,}}|pul-{_HEX}{{40}}|[A-Za-z0-9]{{14}}\.atlasv1\.{_ANY}{{40,}}",
    rf"hv[sbr]\.{_ANY}{{20,}}|dp\.[a-z]{{2,5}}\.{_PLAIN}{{40,}}|ops_eyJ{_BASE64}{{40,}}|AGE-SECRET-KEY-1[A-Z0-9]{{40,}}",
    # code and packages
    rf"gh[pousr]_{_PLAIN}{{20,}}|github_pat_\w{{20,}}|gl[a-z]{{2,6}}-{_ANY}{{16,}}|ATATT3{_BASE64}{{40,}}|ATBB{_PLAIN}{{28,}}",
    rf"npm_{_PLAIN}{{30,}}|pypi-{_ANY}{{30,}}|rubygems_{_HEX}{{48}}|cio(?=[A-Za-z]*\d){_PLAIN}{{32}}|dckr_[a-z]+_{_ANY}{{20,}}",
    rf"CCIPAT_{_ANY}{{30,}}|bkua_{_HEX}{{40}}",
    # people and shops
    rf"xox[a-z](?:\.xox[a-z])?-{_ANY}{{10,}}|xapp-{_ANY}{{10,}}|\d{{8,10}}:AA{_ANY}{{32,}}",
    rf"[MNO]{_ANY}{{22,27}}\.{_ANY}{{6}}\.{_ANY}{{27,}}|AAAA{_ANY}{{7}}:APA91b{_ANY}{{100,}}",
    rf"[sr]k_(?:live|test)_{_PLAIN}{{10,}}|whsec_{_PLAIN}{{16,}}|sq0[a-z]{{3}}-{_ANY}{{20,}}|EAAA{_ANY}{{50,}}|EZ[AT]K{_PLAIN}{{50,}}",
    rf"EAACEdEose0cBA{_PLAIN}+|shp(?:at|ss|ca|pa)_[a-fA-F0-9]{{32}}|SK{_HEX}{{32}}|key-{_HEX}{{32}}|xkeysib-{_HEX}{{64}}\w*",
    rf"SG\.{_ANY}{{16,}}\.{_ANY}{{16,}}|pat-[a-z]{{2}}\d-[a-f0-9-]{{36}}|sl\.{_ANY}{{120,}}|tfp_{_ANY}{{40,}}",
    # tools
    rf"gl(?:sa|c)_{_BASE64}{{30,}}|NRAK-[A-Z0-9]{{27}}|lin_api_{_PLAIN}{{30,}}|(?:secret|ntn)_{_PLAIN}{{40,}}|figd_{_ANY}{{30,}}",
    rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}|sntry[su]_{_BASE64}{{40,}}|dt0[a-z]\d\d\.[A-Z0-9]{{24}}\.[A-Z0-9]{{64}}|CFPAT-{_ANY}{{40,}}",
    rf"ph[cx]_{_PLAIN}{{40,}}|(?:pk|sk)\.eyJ{_ANY}{{20,}}(?:\.{_ANY}+)?",
    # JSON web tokens
    rf"eyJ{_ANY}{{5,}}\.{_ANY}{{5,}}(?:\.{_ANY}*)?",
)
TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:" + "|".join(_TOKEN_FORMATS) + ")")
"""One whole token."""

CUT_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-(?:ant|proj|or|svcacct)-|gsk_|pplx-|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt|sa)[-_]|xox[a-z]-|xapp-"
    r"|AKIA|ASIA|AIza|GOCSPX-|ya29\.|npm_|pypi-|dckr_pat_|do[op]_v1_|hv[sb]\.|[sr]k_(?:live|test)_|whsec_|shp[a-z]{2}_"
    r"|lin_api_|figd_|PMAK-|sntry[su]_|tskey-|CCIPAT_|CFPAT-|AGE-SECRET-KEY-|eyJ)[A-Za-z0-9_.+/=-]{6,}\Z"
)
"""The beginning of a token at the end of a cut text."""

WEBHOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/\d+/"
    r"|\.webhook\.office\.com/webhookb2/|hooks\.zapier\.com/hooks/catch/)(?P<v>[^\s\"'<>]+)"
)
"""A URL that grants access to everyone who knows it; `v` is its secret part."""
