"""The sidecar's own numbers, as it tells them to Prometheus on loopback."""

from __future__ import annotations

import urllib3
from prometheus_client.parser import text_string_to_metric_families

COUNTED = {
    "forecourt_dropped_records_total": ("records lost after they were acknowledged", "critical"),
    "forecourt_store_write_failures_total": ("groups of records that the disk refused", "warning"),
    "forecourt_judge_failed_records_total": ("records that judging stumbled over", "warning"),
    "forecourt_judge_queue_drops_total": ("times that judging had to go back to the files", "warning"),
    "forecourt_overflowed_samples_total": ("samples of keys that there was no room for", "warning"),
}
"""Counters that should stay 0, what they mean, and the band of any other value."""
LAG = "forecourt_judge_lag_seconds"
LAG_SECONDS = 30.0
"""Behind what arrives; more is a warning."""
_TIMEOUT_SECONDS = 5.0


def scraped(endpoint: str) -> tuple[dict[str, float], str]:
    """By name, those of one name added up; or why there are none."""
    samples: dict[str, float] = {}
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_SECONDS) as pool:
            text = pool.request("GET", f"http://{endpoint}/metrics").data.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name] = samples.get(sample.name, 0.0) + sample.value
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return {}, f"its metrics at {endpoint} can't be read: {error}"
    return samples, ""
