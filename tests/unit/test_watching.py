"""What people are told to watch exists: the tables, the alert rules and the scrape configuration."""

import re
from pathlib import Path

import promql_parser
import pytest
from ruamel.yaml import YAML

from orchestrator.errors import Reason
from orchestrator.settings import Settings
from orchestrator.telemetry import catalogue, words
from orchestrator.telemetry.lines import DeliveryLine
from workflows.messages import CallState, Outcome

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = (PROMETHEUS / "README.md").read_text(encoding="utf-8")

METRICS = {metric.name: metric for metric in catalogue.ALL}
FROM_PROMETHEUS = {"up": {"job", "process"}}
OF_THE_SCRAPE = {"instance", "job", "process", "le"}

VALUES = {
    ("doorbell_deliveries_total", "outcome"): set(words.Outcome),
    ("doorbell_deliveries_total", "reason"): set(Reason),
    ("doorbell_deliveries_total", "source"): {words.UNKNOWN},
    ("doorbell_delivery_seconds", "outcome"): set(words.Outcome),
    ("doorbell_runs_ended_total", "outcome"): set(Outcome),
    ("doorbell_runs_parked_total", "reason"): set(words.Parked),
    ("doorbell_tool_calls_total", "outcome"): set(CallState),
    ("doorbell_model_turns_total", "outcome"): set(words.Turn),
    ("doorbell_reloads_total", "outcome"): set(words.Reloaded),
    ("doorbell_runs_lost_total", "then"): set(words.Lost),
    ("doorbell_notifications_total", "outcome"): set(words.Notified),
    ("doorbell_approvals_total", "outcome"): set(words.Approving),
}
"""The labels that a rule may compare with a word, and the words there are."""


def loaded(name):
    return YAML(typ="safe").load((PROMETHEUS / name).read_text(encoding="utf-8"))


RULES = loaded("doorbell.rules.yaml")["groups"][0]["rules"]


def parsed(expression):
    return promql_parser.parse(expression)


def selectors(expression):
    """The metric, and what is asked of its labels, in each selector of a valid expression."""
    for name, matchers in re.findall(r"\b([a-z_]+)(?:\{([^}]*)\})?(?=[\[ )]|$)", expression):
        if name.startswith("doorbell_") or name == "up":
            yield name, re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers)


def base(name):
    plain = re.sub(r"_(bucket|count|sum)$", "", name)
    return plain if plain in METRICS else name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_o3_an_alert_is_valid_promql_about_metrics_and_words_that_exist(rule) -> None:
    parsed(rule["expr"])
    found = list(selectors(rule["expr"]))

    assert found
    for name, matchers in found:
        labels = FROM_PROMETHEUS.get(name) or {*METRICS[base(name)].labels, "le"}
        for label, operator, value in matchers:
            assert label in labels, (name, label)
            known = VALUES.get((base(name), label))
            asked = value.split("|") if operator.endswith("~") else [value]
            assert known is None or set(asked) <= known, (name, label, value)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_groups_by_labels_that_are_there_and_shows_only_those(rule) -> None:
    labels = {
        label
        for name, _ in selectors(rule["expr"])
        for label in (*getattr(METRICS.get(base(name)), "labels", ()), *OF_THE_SCRAPE)
    }
    grouped = re.findall(r"by \(([^)]*)\)", rule["expr"])
    by = {label.strip() for one in grouped for label in one.split(",")}
    shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))

    assert by <= labels
    assert shown <= (by or labels)
    assert rule["labels"]["severity"] in {"page", "warn"}
    assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_names_commands_that_exist(rule) -> None:
    verbs = (ROOT / "orchestrator" / "cli" / "main.py").read_text(encoding="utf-8")

    for verb in re.findall(r"`doorbell ([a-z]+)", rule["annotations"]["description"]):
        assert f'"{verb}":' in verbs


def test_no_alert_has_the_name_of_another() -> None:
    names = [rule["alert"] for rule in RULES]

    assert len(names) == len(set(names))


def test_the_scrape_configuration_scrapes_where_we_show_metrics() -> None:
    (job,) = loaded("prometheus.yaml")["scrape_configs"]
    targets = [target for one in job["static_configs"] for target in one["targets"]]

    assert job["metrics_path"] == "/metrics"
    assert targets == [f"127.0.0.1:{Settings.model_fields['port'].default}", "127.0.0.1:9464"]
    assert loaded("prometheus.yaml")["rule_files"] == ["doorbell.rules.yaml"]


def row(metric):
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


def test_the_table_of_metrics_is_the_catalogue() -> None:
    rows = [
        line for line in TABLES.splitlines() if line.startswith(("| `doorbell_", "| `process_"))
    ]

    assert rows == [row(metric) for metric in catalogue.ALL]


def test_the_table_of_the_delivery_line_is_the_line() -> None:
    fields = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", TABLES, re.MULTILINE)
    promised = [name.removesuffix("_") for name in DeliveryLine.__struct_fields__]

    assert fields == ["event", "level", "process", "timestamp", *promised]


def test_the_words_of_outcomes_are_all_there() -> None:
    line = next(line for line in TABLES.splitlines() if line.startswith("Outcomes: "))

    assert re.findall(r"`(\w+)`", line) == [str(word) for word in words.Outcome]


def test_every_metric_and_setting_that_the_readme_names_exists() -> None:
    section = README.partition("### Watching it")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(doorbell_\w+?)[`{]", section))

    assert len(named) > 8
    assert sorted(named - set(METRICS)) == []
    for setting in re.findall(r"DOORBELL_(\w+)", section):
        assert setting.lower() in Settings.model_fields
