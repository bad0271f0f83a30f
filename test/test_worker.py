"""Newest-image slots and the worker; time is waited for by events, never by the clock."""

import queue
import threading

import pytest

from s2r_depth_ros.node.worker import NewestImages, Worker

PATIENCE_S = 300.0


class SlowProcess:
    """Stands for a network that takes as long as the test wants."""

    def __init__(self):
        self.batches = queue.Queue()
        self.go_on = threading.Semaphore(0)

    def __call__(self, images):
        self.batches.put(images)
        assert self.go_on.acquire(timeout=PATIENCE_S)

    def next_batch(self):
        return self.batches.get(timeout=PATIENCE_S)


@pytest.fixture
def slow():
    process = SlowProcess()
    worker = Worker(process, lambda: 0.0, pytest.fail)
    yield process, worker
    process.go_on.release(1000)
    worker.stop()


def test_a_newer_frame_takes_the_place_of_the_one_that_waits():
    images = NewestImages()
    assert images.put('left', 1) is None
    assert images.put('left', 2) == 1
    assert images.put('right', 3) is None
    assert images.take() == {'left': 2, 'right': 3}


def test_while_one_frame_is_in_work_only_the_newest_waits(slow):
    process, worker = slow
    worker.images.put('camera', 0)
    assert process.next_batch() == {'camera': 0}
    # A camera far faster than the network: each image drops the one before it.
    dropped = [worker.images.put('camera', number) for number in range(1, 6)]
    assert dropped == [None, 1, 2, 3, 4]
    process.go_on.release()
    assert process.next_batch() == {'camera': 5}


def test_frames_that_wait_together_make_one_batch(slow):
    process, worker = slow
    worker.images.put('a', 0)
    process.next_batch()
    for camera in 'abcd':
        worker.images.put(camera, 1)
    process.go_on.release()
    assert process.next_batch() == {'a': 1, 'b': 1, 'c': 1, 'd': 1}


def test_no_camera_starves_beside_a_fast_one(slow):
    process, worker = slow
    worker.images.put('fast', 0)
    process.next_batch()
    worker.images.put('slow', 0)
    for number in range(1, 50):
        worker.images.put('fast', number)
    process.go_on.release()
    assert process.next_batch() == {'slow': 0, 'fast': 49}


def test_stopping_finishes_the_batch_and_drops_what_waited(slow):
    process, worker = slow
    worker.images.put('camera', 0)
    process.next_batch()
    worker.images.put('camera', 1)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    assert worker.images.wait_closed(PATIENCE_S)
    process.go_on.release()
    stopping.join(PATIENCE_S)
    assert process.batches.empty()
    assert worker.images.put('camera', 2) == 2  # refused
    assert not [t for t in threading.enumerate() if t.name == 'depth_worker']


def test_an_idle_worker_stops():
    Worker(lambda images: None, lambda: 0.0, pytest.fail).stop()
    assert not [t for t in threading.enumerate() if t.name == 'depth_worker']


@pytest.mark.parametrize('rate_hz', [1e-3, 1e-10, 5e-324])
def test_a_rate_limit_holds_back_the_second_batch_until_it_is_lifted(rate_hz):
    done, limit_hz = queue.Queue(), [rate_hz]
    worker = Worker(done.put, lambda: limit_hz[0], pytest.fail)
    worker.images.put('camera', 0)
    assert done.get(timeout=PATIENCE_S) == {'camera': 0}
    worker.images.put('camera', 1)
    with pytest.raises(queue.Empty):
        done.get(timeout=0.5)
    limit_hz[0] = 0.0
    assert done.get(timeout=PATIENCE_S) == {'camera': 1}
    worker.stop()


def test_stopping_does_not_wait_for_the_rate():
    done = queue.Queue()
    worker = Worker(done.put, lambda: 1e-3, pytest.fail)
    worker.images.put('camera', 0)
    assert done.get(timeout=PATIENCE_S) == {'camera': 0}
    worker.images.put('camera', 1)
    worker.stop()
    assert done.empty()


def test_an_exception_is_told_and_the_next_batch_is_served():
    done, errors = queue.Queue(), queue.Queue()

    def process(images):
        if images == {'camera': 'bad'}:
            raise RuntimeError('a fault')
        done.put(images)

    worker = Worker(process, lambda: 0.0, errors.put)
    worker.images.put('camera', 'bad')
    assert str(errors.get(timeout=PATIENCE_S)) == 'a fault'
    worker.images.put('camera', 'good')
    assert done.get(timeout=PATIENCE_S) == {'camera': 'good'}
    worker.stop()
