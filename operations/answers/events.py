"""`logs business` and `stats work-orders|automation|sync`: events with their outcomes, reasons and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from alerting.chart import sparkline
from alerting.plain_text import plain
from analysis.events import EventCount, Failures, Moment, event_counts, event_course, failures, moments
from analysis.json_values import as_json, period_json
from operations.reading import Answer, Following, Reading
from operations.tables import band_text, moment, period_text, seconds_text, share_text, show_table
from processors.indicators import indicator_of_event

if TYPE_CHECKING:
    from analysis.bands import Bands

WORK_ORDERS = ("job_queue", "work_order")
AUTOMATION = ("form_automation",)
SYNC = ("work_order.sync",)
_COUNTS = ("event", "service", "count", "success", "failed", "users", "last", "band")
_TIMES = ("event", "service", "count", "p50", "p95", "max")


def work_orders(reading: Reading, failures: bool, times: bool) -> Answer:  # noqa: FBT001  # from click
    """Of the job queue and of work orders."""
    return outcomes(reading, "business", WORK_ORDERS, only_failures=failures, only_times=times)


def automation(reading: Reading, success: bool) -> Answer:  # noqa: FBT001  # from click
    """Of form automation."""
    return outcomes(reading, "business", AUTOMATION, only_counts=success)


def sync(reading: Reading) -> Answer:
    """Of the synchronisation of work orders."""
    return outcomes(reading, "business", SYNC)


def business(reading: Reading, summary: bool, event: Sequence[str], limit: int) -> Answer:  # noqa: FBT001  # from click
    """Events by name, or the last ones as they were."""
    return outcomes(reading, "business", event) if summary else last_ones(reading, "business", event, limit)


def system(reading: Reading, event: Sequence[str], limit: int) -> Answer:
    """The last events of services themselves."""
    return last_ones(reading, "system", event, limit)


def outcomes(
    reading: Reading,
    stream: str,
    events: Sequence[str],
    *,
    only_counts: bool = False,
    only_failures: bool = False,
    only_times: bool = False,
) -> Answer:
    """How many succeeded, why others failed, how long they took, unless only one of these is asked for."""
    period, engine = reading.period, reading.engine
    bands = reading.bands
    counts = event_counts(engine, period, stream, events)
    reasons = failures(engine, period, stream, events)
    course = event_course(engine, period, stream, events)
    content = {
        **period_json(period),
        "events": [_json(one, bands) for one in counts],
        "failures": [as_json(one, examples=dict(one.examples.most_common(10))) for one in reasons],
        "course": [{"successes": good, "failures": bad} for good, bad in course],
    }

    def show() -> None:
        click.echo(period_text(period))
        if not counts:
            click.echo("no events" + (f" of {', '.join(events)}" if events else ""))
            return
        if not only_failures and not only_times:
            show_table(
                _COUNTS,
                [_count_row(one, bands) for one in counts],
                right=_COUNTS[2:-2],
                spare=("users", "last", "service"),
            )
            good, bad = zip(*course, strict=True)
            click.echo(f"succeeded {sparkline(good)}  failed {sparkline(bad)}")
        if not only_counts and not only_failures:
            _show_times(counts)
        if not only_counts and not only_times:
            _show_failures(reasons)

    return Answer(content, show, following=following(stream, events))


def _json(one: EventCount, bands: Bands) -> dict[str, Any]:
    return as_json(one, success_rate=one.success_rate, band=_band(one, bands))


def _band(one: EventCount, bands: Bands) -> str:
    indicator = indicator_of_event(one.event)
    samples = one.successes + one.failures
    return bands.band(indicator, "ratio", one.success_rate, samples) if indicator else "no data"


def _count_row(one: EventCount, bands: Bands) -> Sequence[object]:
    band = _band(one, bands)
    return (
        one.event,
        one.service,
        f"{one.count:,}",
        band_text(share_text(one.success_rate), band),
        f"{one.failures:,}",
        one.users or "",
        moment(one.last_unix_nano),
        band_text(band, band),
    )


def _show_times(counts: Sequence[EventCount]) -> None:
    timed = [one for one in counts if one.p50 is not None]
    rows = [
        (one.event, one.service, f"{one.count:,}", *map(seconds_text, (one.p50, one.p95, one.max))) for one in timed
    ]
    if rows:
        click.echo("\nhow long they took")
        show_table(_TIMES, rows, right=_TIMES[2:], spare=("service",))


def _show_failures(reasons: Sequence[Failures]) -> None:
    if not reasons:
        click.echo("\nnone failed")
        return
    click.echo("\nwhy they failed")
    columns = ("count", "event", "reason", "last", "for example", "trace")
    rows = [
        (
            f"{one.count:,}",
            one.event,
            plain(one.reason or "not said", 80),
            moment(one.last_unix_nano),
            plain(", ".join(name for name, _ in one.examples.most_common(3)), 60),
            one.trace_id,
        )
        for one in reasons
    ]
    show_table(columns, rows, right=("count",), spare=("last", "for example"))


def last_ones(reading: Reading, stream: str, events: Sequence[str], limit: int) -> Answer:
    """The last events as they were, oldest first."""
    period = reading.period
    found = moments(reading.engine, period, stream, events, limit)[::-1]
    content = {**period_json(period), "events": [as_json(one) for one in found]}

    def show() -> None:
        click.echo(period_text(period))
        if not found:
            click.echo("no events")
        for one in found:
            click.echo(line_of(one))

    return Answer(content, show, following=following(stream, events))


def following(stream: str, events: Sequence[str]) -> Following:
    """Each event as it arrives; of `events` only, if any are named."""

    def line(record: Mapping[str, Any]) -> str | None:
        name = record["event"].removeprefix("fossa.")
        wanted = [event.removeprefix("fossa.") for event in events]
        if wanted and not any(name == one or name.startswith(f"{one}.") for one in wanted):
            return None
        told = (record["service"], record["event"], record.get("outcome", ""), record.get("seconds"))
        return line_of(Moment(record["time_unix_nano"], *told, record.get("trace_id", ""), record["attributes"]))

    return Following((stream,), line)


def line_of(one: Moment) -> str:
    """`2026-11-23 10:30:00  app  failure  fossa.auth.login  client.address=192.0.2.7 …`."""
    told = " ".join(f"{plain(name, 60)}={plain(value, 60)}" for name, value in one.attributes.items())
    took = f"  {seconds_text(one.seconds)}" if one.seconds is not None else ""
    head = f"{moment(one.time_unix_nano)}  {plain(one.service, 60)}  {plain(one.outcome or '', 20) or '-':<8}"
    return f"{head}  {plain(one.event, 60)}{took}  {told}".rstrip()
