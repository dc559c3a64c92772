"""The export requests with their attributes left serialised, so that equal ones are read, and written, once.

Most of a request is attributes, and most attributes were in the last request too. Here each is the bytes of its
`KeyValue`: by them a memo knows its key and its finished value. On the wire a message and bytes are the same thing, so
the classes are the real ones with that one type changed; they follow the installed version of the protocol.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_PACKAGE = "opentelemetry.proto."
_OWN_PACKAGE = "forecourt.otlp."
_KEY_VALUE = f".{_OWN_PACKAGE}common.v1.KeyValue"


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, known: set[str]) -> None:
    if file.name in known:
        return
    known.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, known)
    copy = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
    copy.package = copy.package.replace(_PACKAGE, _OWN_PACKAGE)
    for message in copy.message_type:
        _change(message)
    for service in copy.service:
        for method in service.method:
            method.input_type = method.input_type.replace(_PACKAGE, _OWN_PACKAGE)
            method.output_type = method.output_type.replace(_PACKAGE, _OWN_PACKAGE)
    pool.AddSerializedFile(copy.SerializeToString())


def _change(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        name = field.type_name.replace(_PACKAGE, _OWN_PACKAGE)
        if name == _KEY_VALUE:
            field.ClearField("type_name")
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        elif name:
            field.type_name = name
    for nested in message.nested_type:
        _change(nested)


def _messages() -> dict[str, type[Any]]:
    pool = descriptor_pool.DescriptorPool()
    known: set[str] = set()
    for module in (trace_service_pb2, metrics_service_pb2, logs_service_pb2):
        _add(pool, module.DESCRIPTOR, known)
    names = {
        "KeyValue": "common.v1.KeyValue",
        "AnyValue": "common.v1.AnyValue",
        "ExportTraceServiceRequest": "collector.trace.v1.ExportTraceServiceRequest",
        "ExportMetricsServiceRequest": "collector.metrics.v1.ExportMetricsServiceRequest",
        "ExportLogsServiceRequest": "collector.logs.v1.ExportLogsServiceRequest",
    }
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(_OWN_PACKAGE + path))
        for name, path in names.items()
    }


_MESSAGES = _messages()

SerializedKeyValue = bytes
KeyValue: type[Any] = _MESSAGES["KeyValue"]
AnyValue: type[Any] = _MESSAGES["AnyValue"]
TraceRequest: type[Any] = _MESSAGES["ExportTraceServiceRequest"]
MetricsRequest: type[Any] = _MESSAGES["ExportMetricsServiceRequest"]
LogsRequest: type[Any] = _MESSAGES["ExportLogsServiceRequest"]
