"""The lifecycle node: what arrives, what leaves, and when; the work is done elsewhere."""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from importlib import metadata
import sys
import textwrap
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from . import parameters as node_parameters
from . import qos
from .camera import CameraError, is_rectified_topic
from .camera_topics import CameraTopics
from .health import EXPECTED_DROPS, Health, MissingInputs
from .messages import camera_model_to_info, MessageError
from .outputs import ATTENTION, INFO, POINTS, STRUCTURE
from .parameters import Parameters
from .pipeline import CameraDepth, CameraInput, output_messages, View
from .predictor import DepthPredictor, PredictedMaps
from .process import run
from .session import check_command_line, Session, STOP_CHECK_S
from .weights_info import PUBLISHED, RANDOM
from .worker import Worker

DIAGNOSTICS_PERIOD_S = 1.0
WARNING_PERIOD_S = 5.0
SILENCE_S = 3.0
SILENCE_WARNING_PERIOD_S = 60.0
# At the end of the process a batch gets so long; the network `paper` on a CPU takes longer.
LAST_BATCH_S = 1.0
LONGEST_REASON = 500
# A stamp that is so much older is a clock that began anew, as in a bag that loops: one image is
# dropped. One that is a little older came late: the newest stays the measure.
RESTART_NS = 10**9


class Frame(NamedTuple):
    """An image message and the monotonic time of its arrival."""

    message: Image | CompressedImage
    received_s: float


class Job(NamedTuple):
    """A frame that is readable and wanted."""

    camera: str
    frame: Frame
    view: View
    wanted: frozenset[str]


class DepthNode(LifecycleNode):
    """
    Publishes the depth of the newest image of each camera.

    ``configure`` loads the network, ``activate`` opens the topics and starts the worker,
    ``deactivate`` closes them, ``cleanup`` frees the network.

    :param is_stopped: asked while the network is loaded; True gives that up.
    :raises ParameterException: if a parameter has another type or is out of its range.
    :raises ValueError: if parameters contradict each other.
    """

    def __init__(
        self, is_stopped: Callable[[], bool] = lambda: False, **node_arguments,
    ) -> None:
        super().__init__('depth_node', **node_arguments)
        self._is_stopped = is_stopped
        self.parameters = Parameters(**node_parameters.declare(self))
        self.add_on_set_parameters_callback(self._change_parameters)
        self._health = Health()
        self._state = 'unconfigured'
        self._predictor: DepthPredictor | None = None
        self._topics: dict[str, CameraTopics] = {}
        self._inputs: dict[str, CameraInput] = {}
        self._depths: dict[str, CameraDepth] = {}
        self._newest_stamps_ns: dict[str, int] = {}
        self._warned_s: dict[tuple[str, str], float] = {}
        self._worker: Worker[Frame] | None = None
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', **qos.reliable())
        # Wall time: with use_sim_time the diagnostics must not stop when the simulation does.
        self._diagnostics_timer = self.create_timer(
            DIAGNOSTICS_PERIOD_S, self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._refuse_invalid_transitions()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network and run it once."""
        try:
            # With torch every thread that has run the network keeps a team of OpenMP threads while
            # it lives. With two teams there are more threads than cores, and libgomp then has them
            # sleep at every turn: the worker's network would take half as long again.
            loader = ThreadPoolExecutor(1, 'loader')
            loading = loader.submit(_load_predictor, self.parameters, self.get_logger().info)
            while not wait([loading], STOP_CHECK_S).done:
                if self._is_stopped():
                    self.get_logger().info('stopped before the network was loaded')
                    return TransitionCallbackReturn.FAILURE
            loader.shutdown()
            self._predictor = loading.result()
        except Exception as error:  # rclpy would swallow it without a word
            self._predictor = None
            return self._refuse(f'cannot configure: {error}')
        self._health.network_ready()
        self._state = 'inactive'
        self.get_logger().info(', '.join(f'{k}: {v}' for k, v in self._network_facts().items()))
        if self._warning():
            self.get_logger().warning(self._warning())
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the topics of every camera and start the worker."""
        try:
            self._health.watch(self.parameters.cameras)
            self._newest_stamps_ns = {}
            self._worker = Worker(
                self._process, lambda: self.parameters.max_rate, self._on_worker_error)
            qos.check_values(self)
            for camera in self.parameters.cameras:
                self._inputs[camera] = CameraInput()
                self._depths[camera] = CameraDepth(self.parameters)
                self._topics[camera] = CameraTopics(
                    self, camera, self.parameters, partial(self._on_image, camera))
            qos.check_use(self)
        except Exception as error:  # rclpy would swallow it without a word
            self._close_topics()
            return self._refuse(f'cannot activate: {error}')
        for camera, topics in self._topics.items():
            self.get_logger().info(f'{camera}: {topics.summary()}')
            if self.parameters.rectify and is_rectified_topic(
                    topics.image_topic.removesuffix('/compressed')):
                self.get_logger().warning(
                    f'{topics.image_topic} is rectified by its name, and would be undistorted '
                    'twice: set rectify to false, unless the name is wrong')
        self.get_logger().info(f'publishes {self._diagnostics.topic_name}')
        self._health.network_ready()
        self._state = 'active'
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the batch under way, then close the topics."""
        self._close_topics()
        self._state = 'inactive'
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network."""
        self._predictor = None
        self._state = 'unconfigured'
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close whatever is open; valid from every state."""
        self.close()
        self._state = 'finalized'
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start over from unconfigured after a transition that failed half-way."""
        self.close()
        self._state = 'unconfigured'
        return TransitionCallbackReturn.SUCCESS

    def autostart(self) -> None:
        """Configure and activate, as a lifecycle manager would ask for."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def close(self, patience_s: float | None = None) -> None:
        """
        Stop the worker, close the topics and free the network.

        :param patience_s: seconds for a batch under way, after which it is given up; None waits.
        """
        self._close_topics(patience_s)
        self._predictor = None

    def _refuse(self, reason: str) -> TransitionCallbackReturn:
        self.get_logger().error(reason)
        self._health.network_failed(reason)
        return TransitionCallbackReturn.FAILURE

    def _close_topics(self, patience_s: float | None = None) -> None:
        if self._worker is not None:
            self._worker.stop(patience_s)
            self._worker = None
        for topics in self._topics.values():
            topics.close()
        self._topics = {}
        self._inputs = {}
        self._depths = {}

    def _refuse_invalid_transitions(self) -> None:
        """Answer an invalid request with "no"; rclpy before 9.1 lets it raise out of spin()."""
        if _rclpy_version() >= (9, 1):
            return
        service, = (each for each in self.services if each.srv_name.endswith('/change_state'))
        change_state = service.callback

        def change_state_if_valid(request, response):
            try:
                return change_state(request, response)
            except rclpy_implementation.RCLError:
                wanted = request.transition.label or request.transition.id
                self.get_logger().error(f'refused transition {wanted!r} in state {self._state}')
                response.success = False
                return response

        service.callback = change_state_if_valid

    # What arrives

    def _on_image(self, camera: str, message: Image | CompressedImage) -> None:
        """Store the newest frame; the worker does the rest."""
        self._health.received(camera)
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        newest_ns = self._newest_stamps_ns.get(camera, stamp_ns)
        if stamp_ns >= newest_ns or newest_ns - stamp_ns > RESTART_NS:
            self._newest_stamps_ns[camera] = stamp_ns
        if stamp_ns < newest_ns:
            self._drop(camera, 'stamp_backwards', f'stamp {stamp_ns} ns after {newest_ns} ns')
        elif self._worker and self._worker.frames.put(camera, Frame(message, time.monotonic())):
            self._drop(camera, 'superseded')

    # What leaves

    def _process(self, frames: dict[str, Frame]) -> None:
        """Publish the depth of each camera's frame; called by the worker."""
        predictor, parameters = self._predictor, self.parameters
        jobs = [job for camera, frame in frames.items()
                if (job := self._job(camera, frame, parameters)) is not None]
        if not jobs or predictor is None:
            return
        for job, depth_m, far_m, maps in self._predict(predictor, jobs, parameters):
            topics = self._topics.get(job.camera)
            if topics is None:  # the process ends, and did not wait for this batch
                return
            try:
                finished = self._depths[job.camera].finish(
                    depth_m, job.view, far_m, topics.reference_for(job.frame.message), parameters)
                outputs = output_messages(job.view, finished, maps, job.wanted, parameters)
                for output, message in outputs.items():
                    topics.publish(output, message)
            except Exception as error:  # one camera's fault must not cost the others theirs
                self._drop(job.camera, 'publish_failed', str(error))
                continue
            self._health.published(
                job.camera, time.monotonic() - job.frame.received_s, finished.scale,
                '; '.join(filter(None, (job.view.no_cloud_reason, finished.scale_fault))))

    def _job(self, camera: str, frame: Frame, parameters: Parameters) -> Job | None:
        """Return what is to be done with a frame, or None if nothing is left to do."""
        topics = self._topics[camera]
        wanted = topics.wanted()
        if not wanted:
            self._drop(camera, 'no_subscriber')
            return None
        try:
            view = self._inputs[camera].view(
                frame.message, topics.info_for(frame.message), parameters)
        except MessageError as error:
            self._drop(camera, error.cause, str(error))
            return None
        except CameraError as error:
            self._drop(camera, 'camera_info', str(error))
            return None
        except Exception as error:  # a fault of ours: count it, and serve the other cameras
            self._drop(camera, 'unreadable', f'{type(error).__name__}: {error}')
            return None
        if view.model is None and not wanted - {INFO, POINTS}:
            self._drop(camera, 'no_cloud', view.no_cloud_reason)
            return None
        if wanted == {INFO} and view.model is not None:  # for this the network need not run
            self._publish_info(frame, camera_model_to_info(view.model, view.header), camera)
            return None
        return Job(camera, frame, view, wanted)

    def _publish_info(self, frame: Frame, info: CameraInfo, camera: str) -> None:
        """Publish only the calibration of an image."""
        try:
            self._topics[camera].publish(INFO, info)
        except Exception as error:
            self._drop(camera, 'publish_failed', str(error))
        else:
            self._health.published(camera, time.monotonic() - frame.received_s)

    def _predict(
        self, predictor: DepthPredictor, jobs: list[Job], parameters: Parameters,
    ) -> list[tuple[Job, np.ndarray, float, PredictedMaps | None]]:
        """Return of each job depth, from where on it means far, and maps if any are wanted."""
        images = [job.view.rgb for job in jobs]
        intrinsics = [
            job.view.intrinsics if parameters.focal_correction else None for job in jobs]
        maps: list[PredictedMaps | None]
        try:
            if any({STRUCTURE, ATTENTION} & job.wanted for job in jobs):
                predicted = predictor.predict_maps(images, intrinsics)
                depths_m, maps = [each.depth_m for each in predicted], [*predicted]
            else:
                depths_m, maps = predictor.predict(images, intrinsics), [None] * len(jobs)
        except Exception as error:  # out of memory, a lost device: report, and try the next frame
            fault = _one_line(f'{type(error).__name__}: {error}')
        else:
            fault = ''
        # Only here, since the exception holds what the network had in memory when it failed.
        if fault and len(jobs) > 1:  # too many at once, or it is due to one of them
            half = len(jobs) // 2
            return [*self._predict(predictor, jobs[:half], parameters),
                    *self._predict(predictor, jobs[half:], parameters)]
        if fault:
            self._health.network_failed(f'the network failed: {fault}')
            self._drop(jobs[0].camera, 'network_failed', fault)
            return []
        self._health.network_ran(len(jobs))
        return [
            (job, depth_m, predictor.far_m(job.view.size_px, matrix), each)
            for job, depth_m, matrix, each in zip(jobs, depths_m, intrinsics, maps)]

    def _on_worker_error(self, error: Exception) -> None:
        self.get_logger().error(f'a batch failed: {type(error).__name__}: {error}')

    def _drop(self, camera: str, cause: str, detail: str = '') -> None:
        """Count a dropped frame; warn of a fault, at most every few seconds for each cause."""
        detail = _one_line(detail)
        self._health.dropped(camera, cause, detail)
        if cause in EXPECTED_DROPS:
            return
        topics = self._topics.get(camera)
        topic = topics.image_topic if topics else camera
        self._warn(camera, cause, f'{topic}: image dropped, {cause}: {detail}', WARNING_PERIOD_S)

    def _warn(self, camera: str, cause: str, text: str, period_s: float) -> None:
        """Warn of a cause at most once in a period."""
        now_s = time.monotonic()
        if now_s - self._warned_s.get((camera, cause), -float('inf')) > period_s:
            self._warned_s[camera, cause] = now_s
            self.get_logger().warning(text)

    # What it says of itself

    def _change_parameters(self, changes: list[Parameter]):
        self.parameters, result = node_parameters.changed(self.parameters, changes)
        return result

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name()
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status.append(self._health.network_status(
            name, self._state, self._network_facts(), self._warning()))
        if self._state == 'active':
            message.status.extend(self._health.camera_statuses(
                name, self.parameters.stale_after, self._missing_inputs()))
        self._diagnostics.publish(message)

    def _missing_inputs(self) -> dict[str, MissingInputs]:
        """Return what does not come for each camera, and warn of it."""
        missing = {}
        for camera, topics in self._topics.items():
            silent_s, image, info = self._health.silent_s(camera), '', ''
            if silent_s > min(SILENCE_S, self.parameters.stale_after):
                publishers = topics.image_publishers()
                image = publishers.text
                if silent_s > SILENCE_S and (
                        not publishers.fit or silent_s > self.parameters.stale_after):
                    self._warn(
                        camera, 'no image', f'no image for {silent_s:.0f} s: {image}',
                        SILENCE_WARNING_PERIOD_S)
            if topics.lacks_info(SILENCE_S):
                info = topics.info_publishers().text
                self._warn(
                    camera, 'no camera_info', f'no camera_info for {SILENCE_S:g} s: {info}',
                    SILENCE_WARNING_PERIOD_S)
            missing[camera] = MissingInputs(image, info)
        return missing

    def _network_facts(self) -> dict[str, str]:
        predictor = self._predictor
        if predictor is None:
            return {'weights': self.parameters.weights}
        engine = predictor.engine
        facts = {
            'weights': self.parameters.weights,
            'engine': engine.name,
            'device': engine.device,
            'precision': engine.precision,
            'depth range (m)': f'{predictor.info.max_depth_m:g}',
            'CPU threads': str(engine.threads)}
        if engine.device != 'cpu':
            facts['GPU'] = engine.hardware
        return facts

    def _warning(self) -> str:
        if self._predictor is not None and self.parameters.weights == RANDOM:
            return 'the weights are random: the network is untrained, its depth means nothing'
        if self._predictor is not None:
            return self._predictor.engine.warning
        return ''


def _load_predictor(parameters: Parameters, log: Callable[[str], None]) -> DepthPredictor:
    """Return the predictor that the parameters describe, after its first run."""
    predictor = DepthPredictor(
        parameters.weights or None, parameters.device, parameters.precision,
        parameters.network_size_px,
        replace(PUBLISHED, max_depth_m=parameters.published_max_depth),
        parameters.threads, parameters.cuda_graphs, parameters.engine, log)
    predictor.warm_up()
    return predictor


def _rclpy_version() -> tuple[int, ...]:
    """Return major and minor version, (0,) if they are not known."""
    try:
        return tuple(int(part) for part in metadata.version('rclpy').split('.')[:2])
    except (metadata.PackageNotFoundError, ValueError):
        return (0,)


def _one_line(text: str) -> str:
    """Return a reason, which may quote a message, as short as logs and diagnostics bear it."""
    return textwrap.shorten(text, LONGEST_REASON, placeholder=' ...')


HELP = f"""
Publishes metric depth images and point clouds from camera images; a lifecycle node.

for each camera in the parameter `cameras` (default: camera)
  subscribes   <camera>/image (or <camera>/image/compressed), <camera>/camera_info;
               with scale_source reference <camera>/scale_reference/image and .../range
  publishes    <camera>/depth/image, <camera>/depth/camera_info, <camera>/depth/points,
               <camera>/depth/image_color, <camera>/depth/structure, <camera>/depth/attention,
               <camera>/depth/scale
and            /diagnostics

example
  depth_node --ros-args -r camera/image:=/front/image_raw \\
      -r camera/camera_info:=/front/camera_info -p rectify:=true

parameters (default)
{node_parameters.help_text()}
"""


def main(args: list[str] | None = None) -> int:
    """
    Run the node until it is told to stop.

    :param args: command line without the program's name; None takes that of the process.
    :returns: the exit code.
    """
    check_command_line('depth_node', HELP, args)
    with Session(args) as session:
        return _serve(session)


def _serve(session: Session) -> int:
    """Run the node within the session, which ends after nothing here holds the node any more."""
    try:
        node = DepthNode(session.is_stopped)
    except (ParameterException, ValueError) as error:
        print(f'depth_node: wrong parameter: {error}', file=sys.stderr)
        return 1
    if node.parameters.autostart:
        node.autostart()
    session.spin(node)
    node.close(LAST_BATCH_S)
    node.destroy_node()
    return 0


if __name__ == '__main__':
    run(main)
