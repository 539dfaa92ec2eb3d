"""Secrets in the forms of real files, logs and command lines; none was ever valid.

Each entry is (text, what of it must not get through). The bodies are made here, from a fixed seed, so that no scanner
takes this file for a leak.
"""

from __future__ import annotations

import random
import string

_RANDOM = random.Random(20)
UPPER = string.ascii_uppercase + string.digits
LOWER = string.ascii_lowercase + string.digits
MIXED = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE64 = MIXED + "+/"
URLSAFE = MIXED + "-_"

Entry = tuple[str, str]


def _body(length: int, letters: str = MIXED) -> str:
    """Random letters, with a letter and a digit at least, as every generated key of that length has."""
    while True:
        found = "".join(_RANDOM.choice(letters) for _ in range(length))
        if (
            found[0].isalnum()
            and found[-1].isalnum()
            and any(c.isdigit() for c in found)
            and any(c.isalpha() for c in found)
        ):
            return found


# -- tokens that are recognised by their own format -----------------------------------------------------

_BY_FORMAT = [
    ("sk-", 48, MIXED),  # OpenAI
    ("sk-proj-", 80, URLSAFE),
    ("sk-svcacct-", 60, URLSAFE),
    ("sk-ant-" + "api03-", 95, URLSAFE),  # Anthropic
    ("sk-ant-" + "oat01-", 95, URLSAFE),
    ("sk-or-v1-", 64, HEX),  # OpenRouter
    ("gsk_", 52, MIXED),  # Groq
    ("xai-", 80, MIXED),
    ("pplx-", 48, MIXED),
    ("r8_", 37, MIXED),  # Replicate
    ("hf_", 34, MIXED),  # Hugging Face
    ("AIza", 35, URLSAFE),  # Google
    ("GOCSPX-", 28, URLSAFE),
    ("ya29.", 60, URLSAFE),
    ("1//0", 60, URLSAFE),  # Google refresh token
    ("ghp_", 36, MIXED),  # GitHub
    ("gho_", 36, MIXED),
    ("ghu_", 36, MIXED),
    ("ghs_", 36, MIXED),
    ("ghr_", 36, MIXED),
    ("github_pat_", 82, MIXED),
    ("glpat-", 20, URLSAFE),  # GitLab
    ("gldt-", 20, URLSAFE),
    ("glrt-", 20, URLSAFE),
    ("glptt-", 40, HEX),
    ("ATATT3", 180, URLSAFE),  # Atlassian
    ("ATBB", 32, MIXED),
    ("AKIA", 16, UPPER),  # AWS
    ("ASIA", 16, UPPER),
    ("xoxb-" + "123456789012-", 24, MIXED),  # Slack
    ("xoxp-" + "123456789012-", 24, MIXED),
    ("xoxe.xoxp-1-", 40, MIXED),
    ("xapp-1-A0" + "123-", 40, HEX),
    ("sk_live_", 24, MIXED),  # Stripe
    ("sk_test_", 24, MIXED),
    ("rk_live_", 24, MIXED),
    ("whsec_", 32, MIXED),
    ("SK", 32, HEX),  # Twilio
    ("key-", 32, HEX),  # Mailgun
    ("sq0atp-", 22, URLSAFE),  # Square
    ("sq0csp-", 43, URLSAFE),
    ("EAAAE", 60, URLSAFE),
    ("EAACEdEose0cBA", 40, MIXED),  # Facebook
    ("shpat_", 32, HEX),  # Shopify
    ("shpss_", 32, HEX),
    ("npm_", 36, MIXED),
    ("pypi-AgEIcHlwaS5vcmc", 60, URLSAFE),
    ("rubygems_", 48, HEX),
    ("cio", 32, MIXED),  # crates.io
    ("dckr_pat_", 27, URLSAFE),
    ("dop_v1_", 64, HEX),  # DigitalOcean
    ("doo_v1_", 64, HEX),
    ("hvs.", 90, URLSAFE),  # Vault
    ("hvb.", 130, URLSAFE),
    ("dp.pt.", 43, MIXED),  # Doppler
    ("glsa_", 41, MIXED),  # Grafana
    ("glc_", 60, BASE64),
    ("NRAK-", 27, UPPER),  # New Relic
    ("lin_api_", 40, MIXED),  # Linear
    ("secret_", 43, MIXED),  # Notion
    ("ntn_", 46, MIXED),
    ("figd_", 40, URLSAFE),
    ("PMAK-" + "0123456789abcdef01234567-", 34, HEX),  # Postman
    ("sntrys_", 60, BASE64),  # Sentry
    ("sntryu_", 64, HEX),
    ("sbp_", 40, HEX),  # Supabase
    ("pscale_tkn_", 43, URLSAFE),  # PlanetScale
    ("pscale_pw_", 43, URLSAFE),
    ("dapi", 32, HEX),  # Databricks
    ("tskey-auth-", 40, MIXED),  # Tailscale
    ("tskey-api-", 40, MIXED),
    ("AGE-SECRET-KEY-1", 58, UPPER),
    ("ops_eyJ", 200, BASE64),  # 1Password
    ("pul-", 40, HEX),  # Pulumi
    ("CCIPAT_", 60, URLSAFE),  # CircleCI
    ("bkua_", 40, HEX),  # Buildkite
    ("nfp_", 40, MIXED),  # Netlify
    ("dt0c01." + "ABCDEFGHIJKLMNOPQRSTUVWX.", 64, UPPER),  # Dynatrace
    ("CFPAT-", 43, URLSAFE),  # Contentful
    ("fo1_", 43, URLSAFE),  # hosting
    ("FlyV1 fm2_", 80, BASE64),
    ("rnd_", 32, MIXED),  # Render
    ("phc_", 43, MIXED),  # PostHog
    ("phx_", 43, MIXED),
    ("tfp_", 59, MIXED),  # Typeform
    ("EZAK", 54, MIXED),  # EasyPost
    ("live_", 35, MIXED),  # generic payment providers
    ("xkeysib-", 64, HEX),  # Brevo
    ("re_", 32, MIXED),  # Resend
    ("pat-na1-", 36, HEX),  # HubSpot
    ("AAAA" + "abcdefg:APA91b", 134, URLSAFE),  # Firebase
    ("123456789:AA", 33, URLSAFE),  # Telegram
    ("sl.", 135, URLSAFE),  # Dropbox
    ("v1.0-", 60, URLSAFE),  # Cloudflare origin CA
    ("LTAI", 20, MIXED),  # Alibaba
    ("AKID", 32, MIXED),  # Tencent
    ("YCAJE", 34, URLSAFE),  # Yandex
    ("pk.eyJ1", 80, URLSAFE),  # Mapbox
    ("sk.eyJ1", 80, URLSAFE),
]


def _with_known_format() -> list[Entry]:
    found = []
    for head, length, letters in _BY_FORMAT:
        token = head + _body(length, letters)
        found.append((f"the key is {token}, keep it safe", token[len(head) :]))
    jwt = ".".join(("eyJ" + _body(33), "eyJ" + _body(60), _body(43, URLSAFE)))
    found.append((f"got {jwt} back", jwt.split(".")[2]))
    sendgrid = f"SG.{_body(22, URLSAFE)}.{_body(43, URLSAFE)}"
    found.append((f"mail via {sendgrid}", sendgrid[-20:]))
    discord = f"MT{_body(22)}.{_body(6)}.{_body(38, URLSAFE)}"
    found.append((f"bot {discord} ready", discord[-20:]))
    atlas = f"{_body(14)}.atlasv1.{_body(64)}"
    found.append((f"cloud {atlas}", atlas[-20:]))
    slack = _body(24)
    found.append((f"curl https://hooks.slack.com/services/T{_body(8, UPPER)}/B{_body(8, UPPER)}/{slack}", slack))
    hook = _body(68, URLSAFE)
    found.append((f"POST https://discord.com/api/webhooks/123456789012345678/{hook}", hook))
    teams = _body(32, HEX)
    found.append((f"https://acme.webhook.office.com/webhookb2/{_body(36, HEX)}@x/IncomingWebhook/{teams}/y", teams))
    return found


# -- whatever a name announces: one value in every syntax, and every name in one ---------------------------------------

_SYNTAXES = [
    "{N}={v}",
    "export {N}={v}",
    "export {N}='{v}'",
    '{N}="{v}"',
    "set -x {N} {v}",
    "setenv {N} {v}",
    "$env:{N} = '{v}'",
    "SET {N}={v}",
    "ENV {N} {v}",
    "ARG {N}={v}",
    "docker run -e {N}={v} image",
    "{n}: {v}",
    '{n}: "{v}"',
    "{n}: >-\n  {v}",
    "{n}: |\n    {v}",
    "- name: {N}\n  value: {v}",
    '- name: {N}\n  value: "{v}"',
    '{{"name": "{N}", "value": "{v}"}}',
    '{{"{n}": "{v}"}}',
    '{{"{n}":"{v}","b":1}}',
    '{{\\"{n}\\": \\"{v}\\"}}',
    "{{'{n}': '{v}'}}",
    "{n} = {v}",
    '{n} = "{v}"',
    "{n} := `{v}`",
    "config.{n} = '{v}'",
    "os.environ['{N}'] = '{v}'",
    'process.env.{N} = "{v}"',
    "<{n}>{v}</{n}>",
    '<add key="{n}" value="{v}"/>',
    "tool --{f} {v}",
    "tool --{f}={v}",
    'tool --{f} "{v}"',
    "https://api.example.com/x?{n}={v}&page=2",
    "+{N}={v}",
    "-{N}={v}",
    "{N}: {v} # rotate in May",
    "{n}=>'{v}'",
    ":{n} => '{v}'",
    "Set {n} to {v}",
    "the {n} is {v}",
    "{N} {v}",
]


_NAMES = """
password passwd db_password DB_PASS PGPASSWORD MYSQL_PWD passphrase
client_secret CLIENT_SECRET clientSecret secretKey SECRET_KEY SECRET_KEY_BASE aws_secret_access_key
aws_session_token accessToken access_token refresh_token id_token auth_token authToken
bearerToken csrf_token session_secret private_key privateKey encryption_key signing_key
webhook_secret AZURE_STORAGE_KEY AccountKey SharedAccessKey apiKey apikey X-Api-Key
x-auth-token credentials NPM_TOKEN _authToken GH_TOKEN CLAUDE_CODE_OAUTH_TOKEN master_key
api_secret consumer_secret client-key-data DATABASE_PASSWORD REDIS_AUTH JWT_SECRET deploy_key
""".split()  # noqa: SIM905


def _with_context() -> list[Entry]:
    found = []
    for syntax in _SYNTAXES:
        value = _body(24)
        text = syntax.format(N="ACME_API_KEY", n="api_key", f="api-key", v=value)
        found.append((text, value))
    for number, name in enumerate(_NAMES):
        value = _body(20 + number % 9)
        found.append((f"{name}={value}" if number % 2 else f"{name}: {value}", value))
    return found


def _written() -> list[Entry]:
    """Files, headers, URLs and command lines as they are."""
    bodies = iter([_body(26) for _ in range(60)])
    plain = [
        "Authorization: Bearer {v}",
        "authorization: bearer {v}",
        '"Authorization": "Bearer {v}"',
        "-H 'Authorization: token {v}'",
        "Authorization: Basic {v}==",
        "Authorization: ApiKey {v}",
        "Authorization: AWS4-HMAC-SHA256 Credential=X/2026/x, Signature={v}",
        "Proxy-Authorization: Basic {v}=",
        "Authorization: {v}",
        "X-Vault-Token: {v}",
        "x-goog-api-key: {v}",
        "Private-Token: {v}",
        "Cookie: sessionid={v}; theme=dark",
        "Set-Cookie: sid={v}; HttpOnly; Secure",
        "curl -u admin:{v} https://example.com",
        "curl --user 'admin:{v}' https://example.com",
        'curl -H "X-Token: {v}" https://example.com',
        "wget --password={v} ftp://example.com",
        "mysql -u root -p{v} shop",
        "mysqldump --password={v} shop",
        "psql postgresql://app:{v}@db.example.com:5432/shop",
        "redis://:{v}@cache:6379/0",
        "mongodb+srv://app:{v}@cluster0.example.net/?retryWrites=true",
        "amqp://guest:{v}@mq/",
        "mysql+pymysql://root:{v}@localhost/x",
        "https://{v}:x-oauth-basic@github.com/acme/x.git",
        "https://oauth2:{v}@gitlab.com/acme/x.git",
        "git clone https://{v}@github.com/acme/x.git",
        "jdbc:postgresql://db/x?user=app&password={v}",
        "Server=db;User Id=sa;Password={v};Encrypt=true",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={v}==;EndpointSuffix=x",
        "Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={v}=",
        "https://acme.blob.core.windows.net/c/f?sv=2024-01-01&se=2027-01-01&sig={v}%3D",
        "https://s3.amazonaws.com/b/k?X-Amz-Credential=x&X-Amz-Signature={v}",
        "https://example.com/cb#access_token={v}&token_type=bearer",
        "https://example.com/reset?token={v}",
        "//npm.example.com/:_authToken={v}",
        "//packages.example.com/:_password={v}",
        "machine github.com login me password {v}",
        "machine api.example.com\n  login me\n  password {v}\n",
        "db.example.com:5432:shop:app:{v}  # .pgpass",
        '{"auths": {"images.example.com": {"auth": "{v}="}}}',
        "echo {v} | docker login -u me --password-stdin",
        "docker login -u me -p {v} images.example.com",
        "htpasswd -b users me {v}",
        "sshpass -p {v} ssh host",
        "openssl enc -k {v} -in x",
        "gpg --passphrase {v} -d x.gpg",
        "aws configure set aws_secret_access_key {v}",
        "heroku config:set API_TOKEN={v}",
        "kubectl create secret generic x --from-literal=password={v}",
        "helm upgrade x --set auth.password={v}",
        "vault kv put secret/x value={v}",
        "vault login {v}",
        "gh auth login --with-token <<< {v}",
        "PGPASSWORD={v} psql -h db",
        "identified by '{v}'",
        "CREATE USER app WITH PASSWORD '{v}';",
    ]
    return [(text.replace("{v}", value), value) for text, value in ((text, next(bodies)) for text in plain)]


def _keys() -> list[Entry]:
    found = []
    for kind in ("RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY",
                 "DSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):  # fmt: skip
        lines = [_body(64, BASE64) for _ in range(4)]
        whole = f"-----BEGIN {kind}-----\n" + "\n".join(lines) + f"\n-----END {kind}-----"
        found.append((f"cat id\n{whole}\ndone", lines[2]))
    lines = [_body(64, BASE64) for _ in range(3)]
    pem = "-----BEGIN PRIVATE KEY-----\\n" + "\\n".join(lines) + "\\n-----END PRIVATE KEY-----\\n"
    found.append((f'{{"type": "service_account", "private_key": "{pem}", "client_id": "1"}}', lines[1]))
    found.append(("key: |\n  -----BEGIN RSA PRIVATE KEY-----\n  " + "\n  ".join(lines), lines[2]))
    found.append(
        ("> -----BEGIN RSA PRIVATE KEY-----\n> " + "\n> ".join(lines) + "\n> -----END RSA PRIVATE KEY-----", lines[0])
    )
    found.append(("\n".join(lines) + "\n-----END RSA PRIVATE KEY-----\n", lines[0]))  # its beginning has scrolled away
    found.append(("PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n" + lines[0] + "\nPrivate-MAC: x", lines[0]))
    return found


SECRETS: list[Entry] = [*_with_known_format(), *_with_context(), *_written(), *_keys()]

EMAILS: list[Entry] = [
    (text, address)
    for address in (
        "jane.doe@example.com",
        "a+b@sub.example.co.uk",
        "x_y-z%w@example.io",
        "O.Neil@EXAMPLE.ORG",
        "1@2.de",
    )
    for text in (
        address,
        f"<{address}>",
        f"mailto:{address}?subject=x",
        f'"{address}",',
        f"by {address}.",
        f"user={address}",
    )
]

PATHS: list[Entry] = [
    ("open /home/jane/notes.txt now", "/home/jane"),
    ("'/Users/jane/x y'", "/Users/jane"),
    ("see:/opt/acme/x", "/opt/acme"),
    ("(/srv/acme/y)", "/srv/acme"),
    ("~/private/x.txt", "private"),
    ("~jane/x", "jane"),
    ("$HOME/private/x", "private"),
    ("${HOME}/private/x", "private"),
    ("../secret-plan/x", "secret-plan"),
    ("./secret-plan/x", "secret-plan"),
    ("x\n/etc/acme line", "/etc/acme"),
    ("C:\\Users\\jane\\x", "jane"),
    ("D:/docs/jane/x", "jane"),
    ("\\\\server\\share\\jane", "jane"),
    ("file:///home/jane/x", "jane"),
    ("--project-root=/home/jane/x", "jane"),
    ("PATH=/home/jane/bin:/opt/jane/bin", "jane"),
    ('{"cwd": "/home/jane/x"}', "jane"),
    ('File "/home/jane/x.py", line 3', "jane"),
    ("/home/jane/x.py:12: error", "jane"),
    ("[/home/jane]", "jane"),
    ("a>/home/jane/out", "jane"),
    ("cd /home/jane", "jane"),
    ("/tmp/jane", "jane"),
    ("cp /home/jane/a\\ b /x/jane", "jane"),
    ("vscode://file/home/jane/x", "jane"),
    ("ssh jane-host:/home/jane2/x", "jane2"),
]

NUMBERS: list[Entry] = [
    (text.replace("{v}", value), value)
    for value in ("123456", "4111111111111111", "20261127")
    for text in ("id {v}.", "n={v}", '"n": {v},', "({v})")
]

BY_RULE = {"emails": EMAILS, "paths": PATHS, "numbers": NUMBERS}

PLAIN = [
    "tokens used\n19,732",
    '{"maxTokens": 4000, "tokenBudget": 320}',
    "token budget: 320",
    "author: Jane",
    "authentication failed: wrong word",
    "def f(token: str) -> None",
    "def login(user: str, password: str | None = None) -> bool:",
    "token=$TOKEN",
    "password: ${DB_PASSWORD}",
    "passwords: are hashed",
    "the bearer of this letter",
    "the bearer token is missing",
    "key: value",
    "secret: false",
    "api_key: null",
    "passed 12 of 14 tests",
    "tokenizer: fast",
    "the secret is to keep it simple",
    "the password is wrong",
    "the token is expired",
    "keyboard: us",
    "commit 2c26b46b68ffc68ff99b453c1d30413413422d70",
    "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "550e8400-e29b-41d4-a716-446655440000",
    "sort -k 2 file",
    "mkdir -p build/out",
    "patch -p1 < x.diff",
    "ps -p 123",
    "grep -k x",
    "redis://cache:6379/0",
    "https://github.com/acme/x.git",
    "git@github.com:acme/x.git",
    "name: web\nvalue: 3",
    '{"name": "port", "value": "8080"}',
    "<key>value</key>",
    "Set the timeout to 30",
    "input tokens: 12, output tokens: 340",
    "monkey: banana",
    "sk-learn and re_compile",
    "live_reload pul-request key-value",
    "● Done: the password check has a test now.",
    "secret/x was read",
    "vault login",
    "signature=valid",
    "auth: none",
    "self.password = self.read_password(user)",
    "token=self._token, budget=3",
    "if token.id == token_id:",
    "the exact token `--json` anywhere",
    "--token or --stdin",
    "401 invalid x-api-key · retrying in 1s",
    "max_tokens=args.max_tokens",
    '"oauth_token_not_found": "the pool holds no token of this id"',
    "def wants(token: str) ->\n    return False",
    "look for -----BEGIN PRIVATE KEY----- in it.\nNothing of the sort, is there?",
    "basic auth",
    "cookie: none of them",
]
"""Ordinary lines that must stay as they are."""
