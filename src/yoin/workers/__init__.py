"""Worker processes: the parent's side, and (in `yoin.workers.serve`) the child's."""

from yoin.workers.processes import WorkerDiedError, WorkError, Workers, WorkerStartError, cpus

__all__ = ["WorkError", "WorkerDiedError", "WorkerStartError", "Workers", "cpus"]
