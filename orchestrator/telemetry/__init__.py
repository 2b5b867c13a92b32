"""What operators watch: counts, durations and states, as Prometheus and OpenTelemetry speak of them."""
