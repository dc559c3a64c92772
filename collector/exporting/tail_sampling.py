"""Which traces an exporter sends on; decided once for a trace, from all of its spans that came until then."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from collector.exporting.observed_trace import ObservedTrace, Observer
from collector.exporting.sampling_policies import policy
from collector.exporting.sampling_settings import TailSamplingSettings

_LONGEST_ID = 64


class TailSampler:
    """Remembers `num_traces` traces, those whose last span came last, and the ids of as many that it had to forget.

    One that was forgotten before its decision is kept. A span without a usable trace id is a trace by itself.
    Not for several threads.
    """

    def __init__(self, settings: TailSamplingSettings) -> None:
        self._observer = Observer()
        self._drop = [policy(one, self._observer) for one in settings.policies if one.type == "drop"]
        self._keep = [policy(one, self._observer) for one in settings.policies if one.type != "drop"]
        self._most = settings.num_traces
        self._traces: OrderedDict[str, ObservedTrace | bool] = OrderedDict()
        self._forgotten: OrderedDict[str, None] = OrderedDict()
        self.kept = 0
        """Traces that a policy kept."""
        self.dropped = 0
        """Traces that none kept."""
        self.forgotten = 0
        """Traces sent on without a decision: there were more than `num_traces` at a time."""

    @property
    def decided(self) -> int:
        """Traces."""
        return self.kept + self.dropped

    def observe(self, record: Mapping[str, Any]) -> None:
        """A stored span line, `decision_wait` of received time before `keep` is asked about it; never raises."""
        trace_id = record.get("trace_id")
        if type(trace_id) is not str or not 0 < len(trace_id) <= _LONGEST_ID:
            return
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._remember(trace_id, record)
        else:
            self._traces.move_to_end(trace_id)
        if not isinstance(trace, bool):
            self._observer.add(trace, record)

    def keep(self, record: Mapping[str, Any]) -> bool:
        """Whether the span is sent on: the same answer for all of a trace; never raises."""
        trace_id = record.get("trace_id")
        if type(trace_id) is not str or not 0 < len(trace_id) <= _LONGEST_ID:
            return self._decide(self._alone(record))
        trace = self._traces.get(trace_id)
        if isinstance(trace, bool):
            return trace
        if trace is None:
            self._forget(trace_id)
            return True
        decision = self._traces[trace_id] = self._decide(trace)
        return decision

    def _remember(self, trace_id: str, record: Mapping[str, Any]) -> ObservedTrace | bool:
        known = trace_id in self._forgotten
        trace = self._traces[trace_id] = known or ObservedTrace(trace_id, record.get("received_unix_nano"))
        if len(self._traces) > self._most:
            oldest_id, oldest = self._traces.popitem(last=False)
            if not isinstance(oldest, bool):
                self._forget(oldest_id)
        return trace

    def _forget(self, trace_id: str) -> None:
        if trace_id in self._forgotten:
            return
        self.forgotten += 1
        self._forgotten[trace_id] = None
        if len(self._forgotten) > self._most:
            self._forgotten.popitem(last=False)

    def _alone(self, record: Mapping[str, Any]) -> ObservedTrace:
        span_id = record.get("span_id")
        identity = span_id[:_LONGEST_ID] if type(span_id) is str else ""
        trace = ObservedTrace(identity, record.get("received_unix_nano"))
        self._observer.add(trace, record)
        return trace

    def _decide(self, trace: ObservedTrace) -> bool:
        """All policies are asked, so that a rate counts the traces that others keep too, as the Collector's does."""
        decision = False
        if not self._is_dropped(trace):
            for holds in self._keep:
                decision = holds(trace) or decision
        self.kept += decision
        self.dropped += not decision
        return decision

    def _is_dropped(self, trace: ObservedTrace) -> bool:
        for holds in self._drop:  # noqa: SIM110  # twice as fast as a generator, and done for each trace
            if holds(trace):
                return True
        return False
