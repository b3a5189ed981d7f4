"""What OpenTelemetry's SDK was told, kept in memory."""

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@attrs.frozen
class Telemetry:
    """Both providers, and what came out of them.

    Attributes:
        tracers: gives tracers.
        meters: gives meters.
        exporter: keeps the spans.
        reader: reads the metrics.
    """

    tracers: TracerProvider
    meters: MeterProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def providers(self):
        return {"tracer_provider": self.tracers, "meter_provider": self.meters}

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def points(self):
        """Give the data points of each metric."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def telemetry():
    """Make providers that keep everything, apart from the global ones."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider(metric_readers=[reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    yield Telemetry(tracers, meters, exporter, reader)
    tracers.shutdown()
    meters.shutdown()
