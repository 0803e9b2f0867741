"""llama.cpp's HTTP server on a port of its own choice: ``python serve_llama.py MODEL.gguf``, until its input ends."""

import os
import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx = 8192
parameters.n_parallel = 1  # two cores answer one after the other sooner than both at once
if "LLAMA_THREADS" in os.environ:  # threads wait for each other: one is faster where others use the cores as well
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(os.environ["LLAMA_THREADS"])
parameters.port = 0
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
