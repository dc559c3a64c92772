from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting.settings import (
    DEFAULT_RECEIVERS,
    DEFAULT_ROUTES,
    AlertmanagerSettings,
    AppriseSettings,
    DesktopSettings,
    EmailSettings,
    InhibitSettings,
    PushoverSettings,
    ReceiverSettings,
    RouteSettings,
    WebhookSettings,
)
from operations.configuration import Configuration, load
from operations.settings_file import ConfigurationError, packaged_default
from processors.anomalies.default_watches import DEFAULT_WATCHES
from processors.default_rules import DEFAULT_RULES
from processors.security.default_rules import DEFAULT_RULES as SECURITY_RULES
from processors.settings import RuleSettings
from tests.conftest import ROOT

CASES = Path(__file__).parent / "configurations"


def _write(folder: Path, text: str | bytes) -> Path:
    path = folder / "otel-config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_wrong_file_is_told_what_is_wrong_where_and_what_to_do(case: Path) -> None:
    """Every problem is a line of its own, with the file, the line, the column, the key and the way out."""
    expected = case.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    with pytest.raises(ConfigurationError) as refused:
        load(case, {})
    assert str(refused.value).replace(str(case), "FILE").replace(str(CASES), "FOLDER") == expected


def test_the_default_in_the_root_is_the_one_in_the_package() -> None:
    """Who clones and who installs sees the same file."""
    assert (ROOT / "otel-config.yaml").read_text(encoding="utf-8") == packaged_default()


def test_the_default_file_says_what_an_empty_one_means(tmp_path: Path) -> None:
    """Every key of the default is at its default."""
    default = load(_write(tmp_path, packaged_default()), {}).configuration
    assert default == load(_write(tmp_path, ""), {}).configuration


def _keys(content: Any, way: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not isinstance(content, dict):
        return {way}
    return {inner for key, value in content.items() for inner in _keys(value, (*way, key))}


def test_every_setting_stands_in_the_default_file() -> None:
    """Nothing can be set that the commented file does not show."""
    shown = _keys(yaml.safe_load(packaged_default()))
    default = Configuration().model_dump(mode="json")
    rules = {
        ("thresholds", "rules"): DEFAULT_RULES,
        ("anomalies", "watches"): DEFAULT_WATCHES,
        ("security", "rules"): SECURITY_RULES,
    }
    for (kind, field), known in rules.items():
        assert set(default["processors"][kind].pop(field)) == set(known)
    for name, given in (("receivers", DEFAULT_RECEIVERS), ("routes", DEFAULT_ROUTES)):
        assert set(default["alerting"].pop(name)) == set(given)
    shown = {way for way in shown if way[:2] not in {("alerting", "receivers"), ("alerting", "routes")}}
    default["alerting"].pop("inhibit_rules")
    shown = {way for way in shown if way[:2] != ("alerting", "inhibit_rules")}
    settable = _keys(default).union(
        ("processors", *place, *way) for place, known in rules.items() for way in _keys(known)
    )
    optional = {way for way in settable if way[-1] in {"tls", "auth", "bearertokenauth"}}
    assert settable - optional == shown
    for name in ("tls", "auth", "bearertokenauth"):
        assert f"# {name}:" in packaged_default()
    channels = (
        EmailSettings,
        PushoverSettings,
        DesktopSettings,
        WebhookSettings,
        AlertmanagerSettings,
        AppriseSettings,
    )
    for model in (RuleSettings, RouteSettings, ReceiverSettings, InhibitSettings, *channels):
        for field, info in model.model_fields.items():
            assert (info.alias or field) in packaged_default()


def test_values_come_from_the_environment(tmp_path: Path) -> None:
    """Typed as if they had stood there, with defaults, within longer texts, and $$ is a plain $."""
    text = """
exporters: {jsonl: {path: "${env:BASE}/logs$$", durability: "${env:ABSENT:-written}"}}
processors:
  memory_limiter: {limit_mib: "${env:LIMIT}"}
  limits:
    attribute_count: ${env:COUNT}
"""
    environment = {"BASE": "there", "LIMIT": "100", "COUNT": "7"}
    configuration = load(_write(tmp_path, text), environment).configuration
    assert configuration.exporters.jsonl.path == tmp_path / "there" / "logs$"
    assert configuration.exporters.jsonl.durability == "written"
    assert configuration.processors.memory_limiter.limit_mib == 100
    assert configuration.processors.limits.attribute_count == 7


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is called, the records go beside the configuration, the default's too."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    assert load(_write(folder, "exporters: {jsonl: {path: data}}"), {}).configuration.exporters.jsonl.path == (
        folder / "data"
    )
    assert load(_write(folder, ""), {}).configuration.exporters.jsonl.path == folder / "logs"


def test_the_file_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, else FORECOURT_CONFIG, else the current folder, else the packaged default."""
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).name == "the packaged default"
    assert load(None, {}).configuration.exporters.jsonl.path == tmp_path / "logs"
    _write(tmp_path, "")
    assert load(None, {}).name == "otel-config.yaml"
    other = tmp_path / "other.yaml"
    other.write_text("")
    assert load(None, {"FORECOURT_CONFIG": str(other)}).name == str(other)
    assert load(Path("otel-config.yaml"), {"FORECOURT_CONFIG": str(other)}).name == "otel-config.yaml"


def test_a_protocol_that_is_not_listed_is_off_and_one_without_settings_has_its_defaults(tmp_path: Path) -> None:
    """As in the Collector, naming a component is enough to have it."""
    configuration = load(_write(tmp_path, "receivers: {otlp: {protocols: {http: }}}"), {}).configuration
    assert {name: server.endpoint for name, server in configuration.servers().items()} == {"http": "127.0.0.1:4318"}


def test_a_signal_without_a_pipeline_is_off_and_said(tmp_path: Path) -> None:
    """Leaving signals out is allowed and never silent; leaving redaction out as well."""
    text = "service: {pipelines: {traces: {processors: [memory_limiter]}}}"
    source = load(_write(tmp_path, text), {})
    assert source.configuration.service.pipelines.logs is None
    assert source.warnings == (
        "service.pipelines.traces.processors: without redaction, so secrets reach the files",
        "service.pipelines.metrics: is missing, so metrics are refused",
        "service.pipelines.logs: is missing, so logs are refused",
    )


def test_tokens_come_from_the_file_and_from_a_file_of_their_own(tmp_path: Path) -> None:
    """Both places count, and with a token a port may be open to the world."""
    (tmp_path / "tokens.txt").write_text("second\nthird\n")
    text = """
receivers: {otlp: {protocols: {http: {endpoint: 0.0.0.0:4318, auth: {authenticator: bearertokenauth}}}}}
extensions: {bearertokenauth: {tokens: ["${env:TOKEN}"], token_file: tokens.txt}}
service: {extensions: [bearertokenauth]}
"""
    source = load(_write(tmp_path, text), {"TOKEN": "first"})
    tokens = source.configuration.extensions.bearertokenauth
    assert tokens is not None
    assert tokens.values() == ("first", "second", "third")
    assert "first" not in repr(source.configuration)


def test_pages_may_be_open_to_others_with_a_login(tmp_path: Path) -> None:
    """Tokens come from the environment and are never shown; files lie beside this one; without TLS it is warned."""
    (tmp_path / "server.pem").touch()
    (tmp_path / "server.key").touch()
    text = """
extensions:
  dashboard:
    endpoint: 0.0.0.0:9090
    users: {anna: {token: "${env:TOKEN}", role: operate}, berta: {token: abcdefghijklmnop}}
    tls: {cert_file: server.pem, key_file: server.key}
  security_dashboard: {endpoint: "[::]:9091"}
"""
    source = load(_write(tmp_path, text), {"TOKEN": "0123456789abcdef"})
    pages = source.configuration.extensions.dashboard
    assert {name: user.role for name, user in pages.users.items()} == {"anna": "operate", "berta": "view"}
    assert pages.users["anna"].token.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(source.configuration)
    assert pages.tls is not None
    assert pages.tls.key_file == tmp_path / "server.key"
    assert source.warnings == ()
    without = text.replace("tls:", "# tls:")
    assert load(_write(tmp_path, without), {"TOKEN": "0123456789abcdef"}).warnings == tuple(
        f"extensions.{name}.endpoint: {endpoint} can be reached from other machines without TLS, so whoever listens "
        "on the way reads tokens and records. Give extensions.dashboard.tls, or bind to 127.0.0.1 behind a proxy that "
        "has it"
        for name, endpoint in (("dashboard", "0.0.0.0:9090"), ("security_dashboard", "[::]:9091"))
    )


def test_what_is_not_started_takes_no_port(tmp_path: Path) -> None:
    """Nor do two ports that the system chooses clash, nor the same one of two addresses."""
    text = """
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:9090}, grpc: {endpoint: 127.0.0.2:8888}}}}
extensions: {health_check: {endpoint: 127.0.0.1:0}, security_dashboard: {endpoint: 127.0.0.1:0}}
service: {extensions: [health_check, security_dashboard]}
"""
    assert load(_write(tmp_path, text), {}).configuration.service.pages == ("security_dashboard",)


def test_an_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    """Nine levels of nine aliases would be a thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(ConfigurationError, match="more than 100000 values, aliases counted each time"):
        load(_write(tmp_path, "\n".join(lines)), {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"exporters: \xff\xfe", "is not UTF-8 at byte 11. Save it as UTF-8."),
        (b"a: 1\n---\nb: 2\n", "otel-config.yaml:2:1: not valid YAML: but found another document"),
    ],
)
def test_files_that_are_no_single_utf_8_document_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """The message says which file and where."""
    with pytest.raises(ConfigurationError) as refused:
        load(_write(tmp_path, content), {})
    assert message in str(refused.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Windows editors write one."""
    text = b"\xef\xbb\xbfexporters: {jsonl: {path: x}}"
    assert load(_write(tmp_path, text), {}).configuration.exporters.jsonl.path == tmp_path / "x"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """One clear line, no traceback."""
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path / "absent.yaml", {})
    assert str(refused.value) == f"{tmp_path / 'absent.yaml'}: No such file or directory"
