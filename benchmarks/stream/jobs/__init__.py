"""One job a module, each run as a process of its own: ``python -m benchmarks.stream.jobs.NAME``.

A job gets a :class:`~benchmarks.stream.task.Task` as its one argument, reads the topic from its
beginning to its end, and prints a :class:`~benchmarks.stream.task.Outcome` as its last line. The
clock starts when the job's own code sees the first record, and stops when everything is processed
and durable.

Those of other libraries run in a Python that has them: they import nothing of Vigil but its model.
"""
