#!/usr/bin/env bash
# The same on a Slurm cluster: sbatch recipes/clusters/slurm.sh recipes/bert_imdb.py --output_dir /shared/runs/bert_imdb
#
#SBATCH --job-name=hfkit
#SBATCH --nodes=2                  # machines
#SBATCH --ntasks-per-node=1        # one torchrun on each, which starts a process for each of its GPUs
#SBATCH --gpus-per-node=8          # change it to what a machine has
#SBATCH --cpus-per-task=64         # all that tokenising and data workers may use
#SBATCH --time=12:00:00            # not enough? The same sbatch line again goes on from the last checkpoint
#SBATCH --signal=TERM@180          # SIGTERM to torchrun 3 minutes before the end: hfkit writes a checkpoint and stops
#SBATCH --requeue                  # after a preemption the same command starts again, and resumes
#SBATCH --open-mode=append         # one log for all starts
#SBATCH --output=%x-%j.log
set -euo pipefail

NODES=$SLURM_JOB_NUM_NODES
read -r HEAD < <(scontrol show hostnames "$SLURM_JOB_NODELIST")  # the first; `| head` could break its pipe
PORT=$((20000 + SLURM_JOB_ID % 10000))  # two jobs on one machine do not meet
JOB=$SLURM_JOB_ID
export NODES HEAD PORT JOB

# sbatch runs a copy of this file, so the other script is looked for where the job was submitted. One machine's end is
# everyone's: Slurm starts no task anew, and the others would wait for it in vain.
exec srun --kill-on-bad-exit=1 bash "${SLURM_SUBMIT_DIR:-.}/recipes/clusters/multi_node.sh" "$@"
