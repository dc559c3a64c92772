"""What was received, sent on to other OTLP receivers: the store is the queue."""
