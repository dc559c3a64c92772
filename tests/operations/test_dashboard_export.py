"""`forecourt dashboard export`: dashboards that ask for what `/metrics` has, from the rules in force."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from dashboard.exposition.families import FAMILIES
from operations.cli import main
from operations.grafana.dashboards import dashboards
from processors.judging_settings import JudgingSettings

PROMTOOL = shutil.which("promtool")
NAMES = ["overview", "rules", "traces", "business", "host", "database"]
FILES = [
    *(f"dashboards/forecourt-{name}.json" for name in NAMES),
    "prometheus.yml",
    "provisioning/dashboards/forecourt.yaml",
    "provisioning/datasources/forecourt.yaml",
]
CONFIGURATION = """\
processors:
  thresholds:
    rules:
      http.server.p95:
        bands:
          - {level: warning, when: "> 1.5s", severity: low}
          - {level: critical, when: "> 4s", severity: high}
      http.server.p99: {enabled: false}
      queue "of" mail:
        metric: queue.length
        bands: [{level: warning, when: "> 100", severity: medium}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "otel-config.yaml").write_text(CONFIGURATION)
    return tmp_path


def export(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dashboard", "export", *arguments], catch_exceptions=False)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "forecourt-grafana" / "dashboards" / f"forecourt-{name}.json").read_text())


def panels(dashboard: Any, kind: str = "") -> list[Any]:
    """All but the heads of rows, or those of a kind."""
    return [one for one in dashboard["panels"] if one["type"] != "row" and kind in {"", one["type"]}]


def expressions(dashboard: Any) -> Iterator[str]:
    """In PromQL."""
    for panel in panels(dashboard):
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)


def of_defaults() -> dict[str, Any]:
    return dashboards(JudgingSettings())


def test_it_writes_files_and_the_next_time_says_what_has_changed(folder: Path) -> None:
    """Readable for Grafana, whose user is another one."""
    first = export()
    assert first.exit_code == 0
    folder = folder / "forecourt-grafana"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == sorted(FILES)
    shown = re.findall(r"(\S+) +(\w+) *$", first.stdout, re.MULTILINE)
    assert shown == [(f"forecourt-grafana/{name}", "new") for name in FILES]
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.*")} == {0o644}
    (folder / "prometheus.yml").write_text("by: hand")
    config = folder.parent / "otel-config.yaml"
    config.write_text(config.read_text().replace("> 4s", "> 5s"))
    again = re.findall(r"forecourt-grafana/(\S+) +(\w+) *$", export().stdout, re.MULTILINE)
    changed = {"dashboards/forecourt-overview.json", "dashboards/forecourt-rules.json", "prometheus.yml"}
    assert again == [(name, "changed" if name in changed else "unchanged") for name in FILES]


def test_the_same_configuration_gives_the_same_dashboards(folder: Path) -> None:
    """On the terminal as in the files."""
    export()
    shown = export("--json")
    content = json.loads(shown.stdout)
    assert list(content) == [f"forecourt-{name}.json" for name in NAMES]
    assert [content[f"forecourt-{name}.json"] for name in NAMES] == [read(folder, name) for name in NAMES]
    assert export("--json").stdout == shown.stdout
    assert json.dumps(of_defaults()) == json.dumps(of_defaults())


def test_every_rule_in_force_has_one_panel_with_its_bounds_and_unit(folder: Path) -> None:
    """In the colour of its severity; one that is switched off has none."""
    export()
    found = {panel["title"]: panel for panel in panels(read(folder, "rules"))}
    known = JudgingSettings().known_rules()
    assert set(found) == {name for name, rule in known.items() if rule.enabled} - {"http.server.p99"} | {
        'queue "of" mail'
    }
    p95 = found["http.server.p95"]["fieldConfig"]["defaults"]
    assert (p95["unit"], p95["custom"]["thresholdsStyle"]["mode"]) == ("s", "dashed")
    assert p95["thresholds"]["steps"] == [
        {"color": "green", "value": None},
        {"color": "yellow", "value": 1.5},
        {"color": "red", "value": 4.0},
    ]
    assert found['queue "of" mail']["targets"][0]["expr"] == 'forecourt_rule_value{rule="queue \\"of\\" mail"}'
    assert found["host.disk"]["fieldConfig"]["defaults"]["unit"] == "percentunit"
    assert "forecourt runbook alert host.disk" in found["host.disk"]["description"]


def test_where_less_is_worse_the_worst_is_at_the_bottom() -> None:
    (panel,) = [one for one in panels(of_defaults()["forecourt-rules.json"]) if one["title"] == "auth.success_rate"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": "red", "value": None},
        {"color": "yellow", "value": 0.95},
        {"color": "green", "value": 0.99},
    ]


def test_bounds_of_attacks_and_units_of_anomalies_are_drawn_too() -> None:
    found = {one["title"]: one["fieldConfig"]["defaults"] for one in panels(of_defaults()["forecourt-rules.json"])}
    assert found["anomaly.request_rate"]["unit"] == "cps"
    assert found["anomaly.response_time_p95"]["unit"] == "s"
    security = [
        name
        for name, rule in JudgingSettings().known_rules().items()
        if rule.way[0] == "security" and rule.description.conditions
    ]
    assert security
    assert all(len(found[name]["thresholds"]["steps"]) > 1 for name in security)


def test_rules_stand_in_the_groups_of_the_runbook() -> None:
    """Security, anomalies and baselines by themselves; each rule once."""
    rows = [one["title"] for one in of_defaults()["forecourt-rules.json"]["panels"] if one["type"] == "row"]
    assert len(rows) == len(set(rows))
    assert {"http", "host", "db", "security", "anomaly", "baseline"} <= set(rows)


def test_every_name_in_a_question_is_one_that_metrics_has() -> None:
    """And the variable for the service asks for one too."""
    known = {name for family in FAMILIES for name in family.samples}
    for dashboard in of_defaults().values():
        asked = [
            *expressions(dashboard),
            *(one["definition"] for one in dashboard["templating"]["list"] if "definition" in one),
        ]
        named = {
            name
            for text in asked
            for name in re.findall(r"\b(?:forecourt|http|db)_\w+(?=[{\[, )]|$)", _without_texts(text))
        }
        assert named - LABELS <= known
    every = {name for one in of_defaults().values() for text in expressions(one) for name in re.findall(r"\w+", text)}
    assert {"http_server_request_duration_seconds_bucket", "forecourt_rule_value", "forecourt_alert_firing"} <= every


LABELS = {"http_route", "db_query_summary", "db_client_connection_pool_name"}
"""That questions group by, as `/metrics` names them."""


def _without_texts(expression: str) -> str:
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")
def test_prometheus_understands_every_question_and_the_file_for_it(folder: Path) -> None:
    """As promtool says."""
    export()
    questions = [text for name in NAMES for text in expressions(read(folder, name))]
    rules = [{"record": f"question:number{number}", "expr": text} for number, text in enumerate(questions)]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    for check in (("rules", "rules.yml"), ("config", "forecourt-grafana/prometheus.yml")):
        done = subprocess.run([str(PROMTOOL), "check", *check], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def counted(family: str, service: str, values: str, **labels: str) -> dict[str, str]:
    """A series as promtool is given one."""
    given = ",".join(f'{name}="{value}"' for name, value in {"service_name": service, **labels}.items())
    return {"series": f"{family}{{{given}}}", "values": values}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's package prometheus) is not installed")
@pytest.mark.parametrize(
    ("title", "service", "labels", "value"),
    [
        ("Slowest routes (p95)", "shop", '{http_route="/busy"}', 0.095),
        ("Failed in the last hour", "shop", '{event_name="sync"}', 7),
        ("p95", "shop", "{}", 0.095),
        ("p95", "idle", "", None),
        ("Failed", "shop", "{}", 0.5),
        ("Failed", "idle", "", None),
    ],
)
def test_what_is_idle_has_no_value_and_half_an_event_did_not_fail(
    folder: Path, title: str, service: str, labels: str, value: float | None
) -> None:
    """Of the chosen service alone."""
    requests, event = "http_server_request_duration_seconds", {"event_name": "sync", "outcome": "failure"}
    given = [
        *(counted(f"{requests}_bucket", "shop", "0+60x70", http_route="/busy", le=le) for le in ("0.1", "+Inf")),
        *(counted(f"{requests}_bucket", "shop", "9x70", http_route="/rests", le=le) for le in ("0.1", "+Inf")),
        *(counted(f"{requests}_bucket", "idle", "9x70", http_route="/", le=le) for le in ("0.1", "+Inf")),
        counted(f"{requests}_count", "shop", "0+60x70", http_route="/busy"),
        counted(f"{requests}_count", "idle", "9x70", http_route="/"),
        counted("http_server_request_errors_total", "shop", "0+30x70", http_route="/busy"),
        counted("http_server_request_errors_total", "idle", "0x70", http_route="/"),
        counted("forecourt_events_total", "shop", "0x30 0+1x7 7x40", **event),
        counted("forecourt_events_total", "idle", "0+1x70", **event),
    ]
    shown = [
        one for dashboard in of_defaults().values() for kind in ("stat", "table") for one in panels(dashboard, kind)
    ]
    asked = {one["title"]: one["targets"][0]["expr"] for one in shown if "expr" in one["targets"][0]}
    question = {
        "expr": asked[title].replace("$service", service),
        "eval_time": "61m",
        "exp_samples": [] if value is None else [{"labels": labels, "value": value}],
    }
    tests = [{"interval": "1m", "input_series": given, "promql_expr_test": [question]}]
    (folder / "tests.yml").write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": tests}))
    command = [str(PROMTOOL), "test", "rules", "tests.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_such_as_grafana_takes() -> None:
    """Every panel in its place on the grid, all data sources by variables, and uids that stay."""
    for name, dashboard in of_defaults().items():
        assert (dashboard["uid"], dashboard["schemaVersion"], "__inputs" in dashboard) == (
            name.removesuffix(".json"),
            39,
            False,
        )
        variables = {f"${{{one['name']}}}" for one in dashboard["templating"]["list"] if one["type"] == "datasource"}
        assert variables == {"${DS_PROMETHEUS}", "${DS_JAEGER}"}
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert place["x"] + place["w"] <= 24
            assert taken.isdisjoint(cells), panel["title"]
            taken |= cells
        numbers = [panel["id"] for panel in dashboard["panels"]]
        assert numbers == list(range(1, len(numbers) + 1))
        for panel in panels(dashboard):
            assert {panel["datasource"]["uid"], *(one["datasource"]["uid"] for one in panel["targets"])} <= variables
            assert [one["refId"] for one in panel["targets"]] == [
                chr(ord("A") + n) for n in range(len(panel["targets"]))
            ]


def test_the_overview_leads_from_a_slow_request_to_its_trace() -> None:
    """Percentiles with exemplars, which the provisioned data source links to the traces."""
    (times,) = [one for one in panels(of_defaults()["forecourt-overview.json"]) if one["title"] == "Response times"]
    assert [(one["legendFormat"], one["exemplar"]) for one in times["targets"]] == [
        ("p50", True),
        ("p95", True),
        ("p99", True),
    ]
    steps = [one["value"] for one in times["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert steps == [None, 3.0, 10.0]


def test_traces_are_searched_for_one_service() -> None:
    """Jaeger knows no pattern for all of them."""
    dashboard = of_defaults()["forecourt-traces.json"]
    searches = [target for panel in panels(dashboard) for target in panel["targets"] if "queryType" in target]
    assert [(one["queryType"], one["service"], one["tags"], one["minDuration"]) for one in searches] == [
        ("search", "$service", "", ""),
        ("search", "$service", "error=true", ""),
        ("search", "$service", "", "1s"),
    ]
    (service,) = [one for one in dashboard["templating"]["list"] if one["name"] == "service"]
    assert service["includeAll"] is False
    (expression,) = expressions(dashboard)
    assert 'service_name="$service"' in expression  # Grafana makes a single name no pattern: a+b (c) is one too


def test_data_sources_are_those_of_the_configuration(folder: Path) -> None:
    """Who has to log in gives a token, from a file and from Grafana's environment; no token is written."""
    certificate = folder / "server.pem"
    certificate.write_text("")
    (folder / "otel-config.yaml").write_text(
        yaml.safe_dump(
            {
                "extensions": {
                    "dashboard": {
                        "endpoint": "0.0.0.0:9443",
                        "users": {"anna": {"token": "token-of-anna-0123456789"}},
                        "tls": {"cert_file": "server.pem", "key_file": "server.pem"},
                    }
                }
            }
        )
    )
    done = export("--output", "out", "--prometheus-url", "http://prometheus:9090", "--grafana-folder", "Pumps")
    assert done.exit_code == 0, done.stderr
    sources = yaml.safe_load((folder / "out/provisioning/datasources/forecourt.yaml").read_text())["datasources"]
    assert [(one["type"], one["uid"], one["url"]) for one in sources] == [
        ("prometheus", "forecourt-prometheus", "http://prometheus:9090"),
        ("jaeger", "forecourt-jaeger", "https://127.0.0.1:9443"),
    ]
    assert sources[0]["jsonData"]["exemplarTraceIdDestinations"][0]["datasourceUid"] == "forecourt-jaeger"
    assert sources[1]["secureJsonData"] == {"httpHeaderValue1": "Bearer $FORECOURT_TOKEN"}
    scraping = (folder / "out/prometheus.yml").read_text()
    assert re.findall("^# (.*)", scraping, re.MULTILINE) == [
        "Written by `forecourt dashboard export`.",
        "People have to log in: put the token of one of extensions.dashboard.users (the role view is enough) into the",
        "file forecourt.token beside this one; Prometheus sends it, and is refused with 401 without it.",
    ]
    (job,) = yaml.safe_load(scraping)["scrape_configs"]
    assert (job["scheme"], job["static_configs"]) == ("https", [{"targets": ["127.0.0.1:9443"]}])
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "forecourt.token"}
    (provider,) = yaml.safe_load((folder / "out/provisioning/dashboards/forecourt.yaml").read_text())["providers"]
    assert (provider["folder"], provider["options"]["path"]) == ("Pumps", str(folder / "out" / "dashboards"))
    assert all("0123456789" not in path.read_text() for path in (folder / "out").rglob("*.*"))


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "taken").write_text("")
    done = export("--output", "taken/below")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.endswith("Choose another folder: --output DIR\n")


def test_a_wrong_configuration_and_misplaced_options_are_told(folder: Path) -> None:
    """Nothing is written then."""
    (folder / "otel-config.yaml").write_text("bogus: 1")
    assert (export().exit_code, "unknown key 'bogus'" in export().stderr) == (1, True)
    done = CliRunner().invoke(main, ["dashboard", "--port", "0", "export"])
    assert done.exit_code == 2, done.output
    assert "say those of export behind its name" in " ".join(done.stderr.split()), done.stderr
    assert not (folder / "forecourt-grafana").exists()


def test_help_tells_of_it_and_loads_nothing() -> None:
    """`forecourt dashboard` itself goes on serving the pages."""
    shown = CliRunner().invoke(main, ["dashboard", "--help"]).stdout
    assert ("export  Write dashboards for Grafana" in shown, "--port N" in shown) == (True, True)
