"""Sending in a process beside the server: figures of many readers take minutes to count."""

from qa_core.delivery import worker
from qa_core.upkeep import beside

if __name__ == "__main__":
    beside.run(worker.work, "the sending of mails")
