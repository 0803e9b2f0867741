"""What vLLM tells of itself, as its page is written."""

from __future__ import annotations

import pytest

from streamproc.endpoints.gauges import read_gauges
from streamproc.types import ServerGauges

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="eyes"} 3.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="eyes"} 2.0
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="eyes"} 1000.0
vllm:prefix_cache_queries_total{engine="1",model_name="eyes"} 500.0
vllm:prefix_cache_queries_total{engine="0",model_name="judge"} 7.0
# TYPE vllm:prefix_cache_queries_created gauge
vllm:prefix_cache_queries_created{engine="0",model_name="eyes"} 1.7e+09
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{engine="0",model_name="eyes"} 600.0
# TYPE vllm:request_queue_time_seconds histogram
vllm:request_queue_time_seconds_bucket{engine="0",le="0.3",model_name="eyes"} 9.0
vllm:request_queue_time_seconds_bucket{engine="0",le="+Inf",model_name="eyes"} 10.0
vllm:request_queue_time_seconds_count{engine="0",model_name="eyes"} 10.0
vllm:request_queue_time_seconds_sum{engine="0",model_name="eyes"} 4.5
"""


def test_the_models_own_are_summed_over_its_engines() -> None:
    found = read_gauges(PAGE, "eyes")
    assert found == ServerGauges(
        prefix_queries=1500.0, prefix_hits=600.0, waiting=2.0, running=3.0, queue_s=4.5, queued=10.0
    )


@pytest.mark.parametrize(
    "page", ["", "<html>not found</html>", "python_info 1.0\n", PAGE.replace("eyes", "another")], ids=repr
)
def test_a_page_that_tells_nothing_of_the_model_is_none(page: str) -> None:
    assert read_gauges(page, "eyes") is None
