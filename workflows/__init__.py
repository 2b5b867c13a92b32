"""The deterministic heart: standard library and temporalio, nothing of ours from above."""
