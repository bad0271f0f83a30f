"""
Many independent tasks over the workers of this machine or of a Ray cluster.

``run.run_tasks`` gives tasks by name to workers, and yields the result of each. A worker loads
once what all of its tasks need. The task of a worker that dies is done again by another one. A
task that takes three workers with it fails, and the others go on.

A pool of ``pools`` says where the workers are: ``Here`` in this process, ``Processes`` on this
machine, and ``RayCluster`` on the machines of a cluster. ``places`` reads and writes URLs.

It imports no room of this package, so that the renderer can use it, too.
"""
