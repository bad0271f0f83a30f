"""
Run many independent tasks with the workers of this machine or of a Ray cluster.

``run.run_tasks`` gives named tasks to workers, and yields the result of each. A worker loads once
what all its tasks need. If a worker dies, another one repeats its task. After three dead workers,
the task fails, and the others continue.

A pool of ``pools`` determines where the workers run: ``Here`` in this process, ``Processes`` on
this machine, and ``RayCluster`` on the machines of a cluster. ``places`` reads and writes URLs.

It imports no other package of ``s2r_depth_ros``, so that the renderer can use it, too.
"""
