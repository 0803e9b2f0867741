"""What vLLM tells of itself: how much of the prompts its prefix cache held, and how long requests wait in it.

The names are those of vLLM 0.32's ``vllm/v1/metrics/loggers.py``; other servers have other pages, and nothing is read.
"""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from streamproc.types import ServerGauges

_NAMES = {
    "vllm:prefix_cache_queries_total": "prefix_queries",
    "vllm:prefix_cache_hits_total": "prefix_hits",
    "vllm:num_requests_waiting": "waiting",
    "vllm:num_requests_running": "running",
    "vllm:request_queue_time_seconds_sum": "queue_s",
    "vllm:request_queue_time_seconds_count": "queued",
}


def read_gauges(page: str, model: str) -> ServerGauges | None:
    """The gauges of ``model``, as the server calls it, summed over its engines; None where the page holds none of them.

    ``page`` is in Prometheus' text format; one that is not is as one that holds nothing.
    """
    found = dict.fromkeys(_NAMES.values(), 0.0)
    seen = False
    try:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                name = _NAMES.get(sample.name)
                if name is not None and sample.labels.get("model_name", model) == model:
                    found[name] += sample.value
                    seen = True
    except ValueError:
        return None
    return ServerGauges(**found) if seen else None
