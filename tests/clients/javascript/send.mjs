// Sends spans, points and log records through the JavaScript SDK's OTLP/HTTP JSON exporters: node send.mjs URL
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const url = process.argv[2];
const compression = process.argv[3] ?? "none";
const resource = resourceFromAttributes({ "service.name": "javascript" });

const traces = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${url}/v1/traces`, compression }))],
});
const tracer = traces.getTracer("send", "1.0");
for (let number = 0; number < 25; number++) {
  const span = tracer.startSpan(`work ${number}`, {
    kind: SpanKind.SERVER,
    attributes: { number, ratio: 0.5, text: "grüße 👋", list: ["a", "b"], big: Number.MAX_SAFE_INTEGER },
  });
  span.addEvent("checkpoint", { step: 1 });
  if (number === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: "broken" });
  span.end();
}

const reader = new PeriodicExportingMetricReader({
  exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics`, compression }),
});
const metrics = new MeterProvider({ resource, readers: [reader] });
const meter = metrics.getMeter("send");
meter.createCounter("orders").add(3, { kind: "inspection" });
meter.createHistogram("duration", { unit: "s" }).record(0.25);

const logs = new LoggerProvider({
  resource,
  processors: [
    new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs`, compression }) }),
  ],
});
logs.getLogger("send").emit({
  severityNumber: SeverityNumber.WARN,
  severityText: "WARN",
  body: { message: "low", litres: 12 },
  attributes: { tank: "A" },
});

for (const provider of [traces, metrics, logs]) {
  await provider.forceFlush();
  await provider.shutdown();
}
