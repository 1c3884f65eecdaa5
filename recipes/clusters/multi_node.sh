#!/usr/bin/env bash
# One job on several machines, a copy of the model on each GPU (DDP). Start this on every machine, with equal arguments:
#
#   NODES=2 HEAD=10.0.0.1 bash recipes/clusters/multi_node.sh recipes/bert_imdb.py --output_dir /shared/runs/bert_imdb
#
# A machine that dies stops the others at their next exchange. They wait for it: start it again with the same line, and
# all of them go on from the newest checkpoint. --output_dir must lie on a file system that all machines see.
set -euo pipefail

NODES=${NODES:?how many machines}               # 2 waits for two; 1:4 goes on with one to four, as they come and go
HEAD=${HEAD:?the address of the first machine}  # all must reach it: they meet there
PORT=${PORT:-29400}                             # free on HEAD, and open between the machines
PROCESSES=${PROCESSES:-gpu}                     # one for each GPU; a number on the CPU, with ACCELERATE_USE_CPU=true
RESTARTS=${RESTARTS:-10}                        # how often a failure is answered with a new start
JOB=${JOB:-hfkit}                               # keeps two jobs on one HEAD and PORT apart

# Each start of the processes meets in a store of its own: a machine that replaces another could not join the shared one
# and would wait for ever (torch 2.15; pytorch/pytorch#135712 is about the same store).
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# After a SIGTERM a process may finish its update and write a checkpoint for so many seconds; then it is killed.
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-60}

exec torchrun --nnodes "$NODES" --nproc_per_node "$PROCESSES" --max_restarts "$RESTARTS" \
    --rdzv_backend c10d --rdzv_endpoint "$HEAD:$PORT" --rdzv_id "$JOB" "$@"
