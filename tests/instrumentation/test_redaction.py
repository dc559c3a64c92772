from __future__ import annotations

import importlib
import pkgutil
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv import attributes
from opentelemetry.semconv._incubating import attributes as incubating_attributes

from instrumentation import redaction
from instrumentation._redaction_keys import TRIGGERS, may_hold
from instrumentation.redaction import REDACTED, Redactor, redact

CANARY = "hunter2canary"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ROOT = Path(__file__).parents[2]

SENSITIVE_KEYS = """
authorization http.request.header.authorization Proxy-Authorization Cookie http.cookie http.response.header.set-cookie
set_cookie cookies password user.password dbPassword DB_PASSWORD PGPASSWORD passwords passwd pwd MYSQL_PWD passphrase
secret secrets clientSecret client_secret token access_token accessToken authtoken X-CSRFToken id_token refresh_tokens
credential credentials aws_session_credentials api_key apikey api-key x-api-key APIKey access_key aws_secret_access_key
AWSAccessKeyId private_key privateKey account-key ENCRYPTION_KEY session_key sessionToken signing_key jwt otp card.cvv
cvc db_pass SMTP_PASS smtp.password.0 user%5Bpassword%5D
""".split()  # noqa: SIM905  # as a list it takes fifty lines
HARMLESS_KEYS = """
token_count input_tokens tokens max_tokens gen_ai.token.type password_length otelTraceID otelSpanID session.id author
secretary tokenizer code.function.name token_type password_changed_at token_expires_in has_password isPasswordSet
cookie_name aws.secretsmanager.secret.arn key primary_key messaging.kafka.message.key keyboard monkey passenger bypass
compass passport tests.pass user.id http.route db.query.text authority authorizer url.query token_endpoint signature
""".split()  # noqa: SIM905  # as above


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("key", SENSITIVE_KEYS)
def test_a_key_that_tells_of_a_secret_hides_its_value(redactor: Redactor, key: str) -> None:
    """As an attribute and inside a text, in whatever spelling the key comes."""
    assert redactor.value(key, CANARY) == REDACTED
    assert redactor.text(f"x {key}={CANARY}") == f"x {key}={REDACTED}"


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_a_key_that_only_sounds_like_a_secret_keeps_its_value(redactor: Redactor, key: str) -> None:
    """Counts, lengths, names and kinds of secrets are not secrets; neither are words that share their letters."""
    text = f"x {key}={CANARY}"
    assert redactor.value(key, CANARY) == CANARY
    assert redactor.text(text) is text


def _conventions() -> Iterator[str]:
    for package in (attributes, incubating_attributes):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            yield from (value for name, value in vars(module).items() if name.isupper() and isinstance(value, str))


def test_no_attribute_of_the_semantic_conventions_is_hidden(redactor: Redactor) -> None:
    """None of their names is taken for a secret's; headers are templates, and these are."""
    names = sorted(set(_conventions()))
    assert len(names) > 500
    assert [name for name in names if redactor.is_sensitive(name) or redactor.text(name) is not name] == []


def test_further_keys_hide_their_values_beside_the_built_in_ones() -> None:
    """A configured name is matched as words too, inside texts as well, and wins over what looks like a count."""
    redactor = Redactor(keys=["patientName", "token_count"])
    assert redactor.value("hl7.patient-name", CANARY) == REDACTED
    assert redactor.value("token_count", 5) == REDACTED
    assert redactor.value("patient", CANARY) == CANARY
    assert redactor.text(f"patient_name={CANARY} password={CANARY} patient=5") == (
        f"patient_name={REDACTED} password={REDACTED} patient=5"
    )
    assert redact(f"patient_name={CANARY}") == f"patient_name={CANARY}"


def test_the_quick_look_for_keys_misses_no_trigger() -> None:
    """What every sensitive key holds is found by the test that lets most texts pass unsearched."""
    assert [trigger for trigger in TRIGGERS if not may_hold(trigger)] == []


# ---------------------------------------------------------------- values


def test_a_sensitive_key_hides_every_type_of_value_but_none(redactor: Redactor) -> None:
    """A secret may come as number, bytes or list; that there is none is no secret."""
    values = [CANARY, "", 5, 1.5, True, b"x", [CANARY], {"a": CANARY}, None]
    assert [redactor.value("password", value) for value in values] == [*[REDACTED] * 8, None]


def test_values_are_searched_to_their_depth(redactor: Redactor) -> None:
    """Nested keys count as keys do, texts are redacted, names that hold personal data too, all else stays."""
    value = {
        "headers": {"Authorization": CANARY, "Host": "h", "Cookie": None},
        "lines": ["ok", f"password={CANARY}", ("bob@example.com", 5)],
        "bob@example.com": 1,
        "raw": f"\udcfftoken={CANARY} é".encode("utf-8", "surrogateescape"),
        "plain": b"\xff\x00",
        "numbers": [1, 2.5, True, None],
    }
    assert redactor.value("x", value) == {
        "headers": {"Authorization": REDACTED, "Host": "h", "Cookie": None},
        "lines": ["ok", f"password={REDACTED}", [REDACTED, 5]],
        REDACTED: 1,
        "raw": b"\xfftoken=[REDACTED] \xc3\xa9",
        "plain": b"\xff\x00",
        "numbers": [1, 2.5, True, None],
    }


# ---------------------------------------------------------------- texts


SECRETS = {
    "web token": JWT,
    "encrypted web token": f"{JWT}.abcdef.abcdef",
    "e-mail": "bob.smith+tag@mail.example.co.uk",
    "encoded e-mail": "bob%40example.com",
    "foreign e-mail": "jürgen@exämple.de",
    "visa": "4111111111111111",
    "visa in groups": "4111 1111 1111 1111",
    "visa with dashes": "4111-1111-1111-1111",
    "visa of 13 digits": "4222222222222",
    "visa of 19 digits": "4000000000000000006",
    "mastercard": "5555 5555 5555 4444",
    "mastercard of the second series": "2223003122003222",
    "american express": "3782 822463 10005",
    "diners": "30569309025904",
    "union pay": "6200000000000005",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github, fine-grained": "github_pat_11ABCDEFG0abcdefghijkl",
    "gitlab": "glpat-abcdefghij0123456789",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "openai": "sk-proj-abcdefghij0123456789XY",
    "slack": "xoxb-123456789012-abcdefghij",
    "stripe": "sk_live_abcdefghij0123456789",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END RSA PRIVATE KEY-----",
    "private key on one line": r"-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
}
PLACES = [
    "{}",
    "before {} after",
    "Failed for {}: timed out",
    "({}), [{}]",
    "'{}'",
    '{{"x": "{}", "y": 1}}',
    '{{\\"x\\": \\"{}\\"}}',
    "x={}",
    "x={},y=2",
    "/path?x={}&y=2",
    "/path?x=%20{}",
    r"line\n{}\n",
    "one\n{}\ntwo",
    "é — {} …",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_of_a_known_form_is_hidden_wherever_it_stands(redactor: Redactor, secret: str, place: str) -> None:
    """Nothing but the secret goes; a percent-encoded or escaped character before an address may go with it."""
    redacted = redactor.text(place.format(secret, secret))
    eager = redacted.replace("?x=[", "?x=%20[") if "%20" in place else redacted
    eager = eager.replace(r"line\[", r"line\n[")
    assert eager == place.format(REDACTED, REDACTED)


HIDDEN = {
    # A key and its value.
    "password=<s>": "password=<>",
    "password: <s>, user: bob": "password: <>, user: bob",
    "password=a,<s> user=bob": "password=<> user=bob",
    "{password:<s>,user:bob}": "{password:<>,user:bob}",
    "Server=x;Password=<s>;User=y": "Server=x;Password=<>;User=y",
    "password => <s>": "password => <>",
    "(token=<s>)": "(token=<>)",
    "Access token: <s>": "Access token: <>",
    "API key: <s>; primary key: 5": "API key: <>; primary key: 5",
    "token: Bearer <s> user=5": "token: <> user=5",
    "export DB_PASSWORD=<s>; run": "export DB_PASSWORD=<>; run",
    "İ password=<s> é": "İ password=<> é",
    "mysql --user bob --password <s> --host x": "mysql --user bob --password <> --host x",
    "login --token=<s> -v": "login --token=<> -v",
    # In quotes, of any language and depth of escaping.
    "{'password': '<s>', 'user': 'bob'}": "{'password': '<>', 'user': 'bob'}",
    '{"password": "<s>", "user": "bob"}': '{"password": "<>", "user": "bob"}',
    '{"password":"<s>","user":"bob"}': '{"password":"<>","user":"bob"}',
    r'{"password": "ab\"<s>", "user": "bob"}': '{"password": "<>", "user": "bob"}',
    r'{"password": "<s>\\", "user": "bob"}': '{"password": "<>", "user": "bob"}',
    r"{\"password\": \"<s>\", \"user\": \"bob\"}": r"{\"password\": \"<>\", \"user\": \"bob\"}",
    r"{\\\"password\\\": \\\"<s>\\\", \\\"x\\\": 1}": r"{\\\"password\\\": \\\"<>\\\", \\\"x\\\": 1}",
    "{b'token': b'<s>', b'x': b'y'}": "{b'token': b'<>', b'x': b'y'}",
    "password='two words <s>' user='bob'": "password='<>' user='bob'",
    "UPDATE users SET password = '<s>' WHERE id = 5": "UPDATE users SET password = '<>' WHERE id = 5",
    "UPDATE users SET password='it''s <s>' WHERE id = 5": "UPDATE users SET password='<>' WHERE id = 5",
    '{"password": "cut off <s>': '{"password": "<>',
    # Lists and objects.
    "cookies={'session': '<s>', 'x': ['<s>']} path=/a": "cookies=<> path=/a",
    '"credentials": {"a": {"b": "}<s>"}, "c": "<s>"}, "x": 1': '"credentials": <>, "x": 1',
    "'set-cookie': ['a=<s>', 'b=<s>'], 'x': 'y'": "'set-cookie': <>, 'x': 'y'",
    '"tokens": 5, "secrets": ["<s>", "cut off': '"tokens": 5, "secrets": <>',
    # Headers.
    "Authorization: Bearer <s>\nHost: x": "Authorization: <>\nHost: x",
    "Authorization: ApiKey <s>": "Authorization: <>",
    'Authorization: Digest username="bob", response="<s>"\nHost: x': "Authorization: <>\nHost: x",
    "Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=<s>": "Authorization: <>",
    "{'host': 'x', 'authorization': 'Bearer <s>', 'a': 'b'}": "{'host': 'x', 'authorization': '<>', 'a': 'b'}",
    "x-api-key: <s>": "x-api-key: <>",
    "Cookie: a=b; c=<s>\r\nHost: x": "Cookie: <>\r\nHost: x",
    'Cookie: a="x y"; c=it\'s; d=<s>': "Cookie: <>",
    "Set-Cookie: a=<s>; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly": "Set-Cookie: <>",
    '["Cookie: a=<s>", "Host: x"]': '["Cookie: <>", "Host: x"]',
    r"'GET /\r\nCookie: a=<s>\r\nHost: x'": r"'GET /\r\nCookie: <>\r\nHost: x'",
    "[(b'host', b'x'), (b'cookie', b'a=<s>'), (b'x', b'y')]": "[(b'host', b'x'), (b'cookie', b'<>'), (b'x', b'y')]",
    '[["authorization", "Bearer <s>"]]': '[["authorization", "<>"]]',
    # Schemes without their header.
    "sent Bearer <s> to x": "sent Bearer <> to x",
    "sent bearer%20<s>&x=1": "sent bearer%20<>&x=1",
    "sent Basic dXNlcjo8cz4K to x": "sent Basic <> to x",
    '{"sent": "Bearer <s>=", "x": 1}': '{"sent": "Bearer <>", "x": 1}',
    "{'sent': 'bearer <s>==', 'x': 1}": "{'sent': 'bearer <>', 'x': 1}",
    # Addresses.
    "GET /cb?token=<s>&x=1 HTTP/1.1": "GET /cb?token=<>&x=1 HTTP/1.1",
    "https://host/x?x=1&api_key=<s>#part": "https://host/x?x=1&api_key=<>#part",
    "token=<s>&x=1": "token=<>&x=1",
    "user[password]=<s>&user[name]=bob": "user[password]=<>&user[name]=bob",
    "https://h/b?se=2&sig=<s>&x=1": "https://h/b?se=2&sig=<>&x=1",
    "https://h/b?X-Goog-Signature=<s>": "https://h/b?X-Goog-Signature=<>",
    "https://bob:<s>@host.example/x?y=1": "https://<>@host.example/x?y=1",
    "https://<s>@host.example/x.git": "https://<>@host.example/x.git",
    "redis://:<s>@localhost:6379/0": "redis://<>@localhost:6379/0",
    "postgresql://bob:p@<s>@host:5432/db?mail=x": "postgresql://<>@host:5432/db?mail=x",
    "postgresql://bob:pa/<s>@host:5432/db": "postgresql://<>@host:5432/db",
    # Where texts come from.
    "tenant=a,token=<s>,user=5": "tenant=a,token=<>,user=5",
    "ValueError: invalid password: <s>\n  File x": "ValueError: invalid password: <>\n  File x",
    "card 4111 1111 1111 1111 123 until 2030": "card <> 123 until 2030",
    "2026 4111 1111 1111 1111": "2026 <>",
    "form card=4111+1111+1111+1111&x=1": "form card=<>&x=1",
    "-----BEGIN PRIVATE KEY-----\ncut off <s>": "<>",
}


@pytest.mark.parametrize("text", HIDDEN)
def test_only_the_secret_goes_and_the_rest_stays_readable(redactor: Redactor, text: str) -> None:
    """Keys, hosts, other parameters and other fields around a secret are still there."""
    redacted = redactor.text(text.replace("<s>", CANARY))
    assert redacted == HIDDEN[text].replace("<>", REDACTED)
    assert CANARY not in redacted


UNTOUCHED = [
    "",
    "GET /api/v1/work-orders/{id}",
    "SELECT users.id, users.password FROM users WHERE users.password = ? AND token IS NOT NULL",
    "SELECT 1 WHERE password = %(password)s AND token = :token AND secret = $1 AND pwd = %s",
    "INSERT INTO tokens (token, secret) VALUES (?, ?)",
    "4bf92f35-77b3-4da6-a3ce-929d0e0e4736 41111111-1111-4111-8111-111111111111",
    "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 41111111111111111111111111111111",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "[trace_id=0 span_id=4111111111111111] [otelSpanID: '4111111111111111']",
    "1795420230660779146 1795420230660779 1795420230660 1795420230",
    "2026-11-23T10:18:55.177232283Z 2026-11-23 10:18:55,177 20261123101855177",
    "4111.1111111111111 0.4111111111111111 -4111111111111111 4111111111111111.5 4111111111111111e5",
    "4111111111111112 1234567890123456 9111111111111111",
    "forecourt 0.1.0rc1 python-3.11.9 127.0.0.1:18000 ::1 fe80::1%eth0",
    "/srv/app/tokens/secret.py:12 C:\\app\\password\\reset.html",
    '  File "/srv/app/tokens.py", line 3, in check\n    def check(self, password: str, token: str | None = None):',
    "POST /oauth/token: 401",
    "tests/test_token.py::test_password PASSED",
    "token_count=5 input_tokens=7 password_length: 8 token_type=bearer expires_in=3600",
    "the password is wrong, the token has expired, no cookie was sent",
    "password=None, secret=null, token=True, cookies={}, tokens: 5, pwd=''",
    '{"loc": ["body", "password"], "msg": "field required"}',
    "Bearer token missing; basic authentication failed; Basic plan",
    'WWW-Authenticate: Bearer realm="example", error="invalid_token", Basic realm="x"',
    "root@server:~# ssh deploy@localhost; git@host:repository",
    "logo@2x.png @app.get matrix @ vector name@1.2.3",
    "http://host:8080/users/@me https://host.example/a:b?c=d",
    "task-runner-with-a-very-long-name-1 risk-assessment sk-fading-circle-loading-dots desk-abcdefghij0123456789",
    "eyJhbGciOiJIUzI1NiJ9 eyJ.x",
    "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----",
    "key=5 primary_key=7 keyboard: qwerty signature=abc design=1",
    "сообщение: ключ, 消息, 🔑 = 🚪",
    "\ud800 \x00 \udfff",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_a_text_without_a_secret_comes_back_as_the_same_object(redactor: Redactor, text: str) -> None:
    """Ids, times, numbers, versions, paths, SQL, source lines and prose survive."""
    assert redactor.text(text) is text


_PARTS = st.one_of(
    st.sampled_from(
        [*string.punctuation, " ", "\n", "1", "a", "é", "İ", "%40", "%20", '\\"', "b'", "--", "://", "None"]
    ),
    st.sampled_from(
        [
            "password",
            "token",
            "cookie",
            "authorization",
            "key",
            "api",
            "sig",
            "span_id",
            "Bearer ",
            "Basic ",
            "Digest ",
        ],
    ),
    st.sampled_from([*SECRETS.values(), "eyJ", "sk-", "-----BEGIN PRIVATE KEY-----", "user@", "4111 ", REDACTED]),
    st.text(max_size=3),
)


@given(st.lists(_PARTS, max_size=14).map("".join))
@example("a@b.co4111111111111111")
@example("auth_bob@example.com_1")
def test_what_is_redacted_stays_as_it_is(text: str) -> None:
    """A text that passes twice, in the app and in the sidecar, is the same as after once."""
    once = redact(text)
    assert redact(once) == once


HOSTILE = [
    *["1-", "1 1a ", "4111 ", "4111-1111-", "41111111111111111 ", "1%20", "a@", "a@b.", "a.", "://a:", "://a:b/"],
    *[
        "eyJ",
        "eyJa_",
        "eyJabcde. ",
        "Bearer ",
        "Basic a",
        "token",
        "token=",
        "token='",
        'token="',
        'token=\\"',
        "token=[",
    ],
    *['token={"', "token=\\", "token:\n", 'token="\n', "password=,a", "('token','", "('token',b\\'", 'cookie: a="'],
    *['cookie:" ', "authorization: a ", "authorization: digest \n", "--token ", "-----BEGIN PRIVATE KEY-----"],
    *[
        "-----BEGIN A",
        "AKIA",
        "ghp_",
        "sk-a",
        "xoxb-",
        "?sig=",
        "&token=",
        "\\",
        '\\"',
        "'",
        "key ",
        "İtoken=",
        "é",
        "%40",
    ],
]


def _seconds(text: str) -> float:
    started = time.process_time()
    redact(text)
    return max(0.005, time.process_time() - started)  # below some milliseconds the clock tells nothing


@pytest.mark.parametrize(
    ("beginning", "unit"),
    [
        *(("", unit) for unit in HOSTILE),
        *(("token=[", unit) for unit in ["\\", '\\"', '"', "['", "{}", '"\\\n']),
        *(('token="', unit) for unit in ["\\", '\\"', "a,", "token="]),
        ("password", "a"),
        ("password=", ",a"),
        ("cookie: ", '" '),
        ("user@", "a."),
        ("http://a:b", "a/"),
    ],
)
@pytest.mark.untraced
def test_time_grows_no_faster_than_the_text(beginning: str, unit: str) -> None:
    """Ten times the hostile text takes about ten times as long; with backtracking it would be a hundred times."""
    small, large = (beginning + unit * (size // len(unit)) for size in (100_000, 1_000_000))
    assert any(_seconds(large) < 30 * _seconds(small) for _ in range(3))


# ---------------------------------------------------------------- remembering, threads, import


def test_what_is_remembered_is_bounded(redactor: Redactor) -> None:
    """Ever new texts and keys neither grow the memory without end nor change the answers."""
    for number in range(20_000):
        assert redactor.text(f"user{number}@example.com") == REDACTED
        assert redactor.is_sensitive(f"password{number}") is True
    redactor.text("x" * 100_000)
    assert (len(redactor._texts) <= 8192, len(redactor._keys) <= 8192) == (True, True)
    assert max(map(len, redactor._texts)) < 1000


def test_threads_share_a_redactor(redactor: Redactor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several decoders, each clearing what the others remember, all get their own answers."""
    monkeypatch.setattr(redaction, "_MEMO_ENTRIES", 3)

    def read(worker: int) -> list[str]:
        return [redactor.text(f"{worker} {number % 7} token=x{number % 5}") for number in range(500)]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(read, range(8)))
    assert found == [[f"{worker} {number % 7} token={REDACTED}" for number in range(500)] for worker in range(8)]


def test_importing_it_loads_nothing_but_the_standard_library() -> None:
    """The app's process and a decoder's start pay for no OpenTelemetry and no pydantic."""
    script = (
        "import sys; before = set(sys.modules); import instrumentation.redaction;"
        "print({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "{'instrumentation'}"


# ---------------------------------------------------------------- recorded traffic

REQUESTS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [_value(element) for element in value.array_value.values]
    return getattr(value, kind) if kind else None


def _changes(message: Any, redactor: Redactor) -> Iterator[tuple[Any, Any]]:
    if message.DESCRIPTOR.name == "KeyValue":
        value = _value(message.value)
        redacted = redactor.value(message.key, value)
        if redacted != value:
            yield value, redacted
        return
    for field, content in message.ListFields():
        for part in content if field.is_repeated else [content]:
            if field.message_type:
                yield from _changes(part, redactor)
            elif isinstance(part, str) and redactor.text(part) != part:
                yield part, redactor.text(part)


@pytest.mark.parametrize("folder", ["clean", "native"])
def test_of_recorded_traffic_only_the_known_placeholders_change(
    recordings: Path, redactor: Redactor, folder: str
) -> None:
    """Credentials and addresses of a real backend go; none of its ids, numbers, statements and paths does."""
    changes = [
        change
        for signal, request in REQUESTS.items()
        for file in sorted((recordings / folder / signal).glob("*.pb"))
        for change in _changes(request.FromString(file.read_bytes()), redactor)
    ]
    assert len(changes) > 30
    for before, after in changes:
        users = {f"user-{number}@example.test" for number in range(1, 10)}
        expected = before.replace("REMOVED-CREDENTIAL", REDACTED)
        for user in (*(f"auth_{user}" for user in users), *users):
            expected = expected.replace(user, REDACTED)
        assert after == expected
