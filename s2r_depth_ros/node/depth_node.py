"""The lifecycle node: it connects topics, network and worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from importlib import metadata
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from ..depth.camera_model import CameraError, is_rectified_topic
from ..depth.parameters import Parameters
from ..depth.pipeline import (
    CameraImage,
    corrects_by_contact,
    DepthPipeline,
    DepthResult,
    load_predictor,
    postprocess,
    preprocess,
)
from ..depth.predictor import DepthPredictor
from ..environment import set_up_process
from ..ros import qos
from ..ros.messages import MessageError
from ..ros.outputs import (
    compression_fault,
    frame_fault,
    ground_fault,
    GROUND_OUTPUTS,
    image_messages,
    MAPS,
    NEEDS_CALIBRATION,
    needs_confidence,
    needs_ground,
    NEEDS_JUDGE,
    NO_JUDGE,
    output_messages,
    WITHOUT_NETWORK,
)
from ..ros.process import run
from ..ros.rcl_errors import RCLError
from ..ros.session import check_command_line, Session, STOP_CHECK_S
from ..ros.transforms import GroundSource, listen, NO_TF
from ..weights.info import RANDOM
from . import parameters as node_parameters
from .camera import Camera, ReceivedImage
from .diagnostics import NetworkCounters, one_line
from .nav2_bond import Nav2Bond
from .worker import Worker

DIAGNOSTICS_PERIOD_S = 1.0
# Time limit for a batch at the end of the process. The network `paper` on a CPU takes longer.
LAST_BATCH_S = 1.0


class DepthNode(LifecycleNode):
    """
    Publishes the depth of the newest image of each camera.

    ``configure`` loads the network and creates the publishers. ``activate`` subscribes and starts
    the worker. ``deactivate`` ends both. ``cleanup`` frees network and publishers.

    :param is_stopped: called while the network loads; True cancels the loading.
    :raises ParameterException: if a parameter has the wrong type or is out of range.
    :raises ValueError: if parameters contradict each other.
    """

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False, **node_arguments) -> None:
        super().__init__('depth_node', **node_arguments)
        self._is_stopped = is_stopped
        self.parameters = Parameters(**node_parameters.declare(self))
        self.add_on_set_parameters_callback(self._change_parameters)
        self._state = 'unconfigured'
        self._predictor: DepthPredictor | None = None
        self._network = NetworkCounters()
        self._cameras: dict[str, Camera] = {}
        self._worker: Worker[ReceivedImage] | None = None
        self._bond = Nav2Bond(self, has_manager=not self.parameters.autostart)
        self._ground: GroundSource = NO_TF
        # Not a lifecycle publisher: the diagnostics explain every lifecycle state.
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', **qos.reliable()
        )
        # Wall time: with use_sim_time, the diagnostics must continue when the simulation stops.
        self._diagnostics_timer = self.create_timer(
            DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._refuse_invalid_transitions()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network, run it once, and create the publishers of every camera."""
        try:
            qos.check_values(self)
            self._predictor = self._load_unless_stopped()
            if self._predictor is None:
                self.get_logger().info('stopped before the network was loaded')
                return TransitionCallbackReturn.FAILURE
            for name in self.parameters.cameras:
                self._cameras[name] = Camera(self, name, self.parameters)
        except Exception as error:  # rclpy discards it silently
            self.close()
            return self._refuse(f'cannot configure: {error}')
        self._network.ready()
        self._state = 'inactive'
        self.get_logger().info(', '.join(f'{k}: {v}' for k, v in self._network_facts().items()))
        if self._warning():
            self.get_logger().warning(self._warning())
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Enable the publishers, subscribe to every camera and start the worker."""
        try:
            super().on_activate(state)
            self._worker = Worker(
                self._process, lambda: self.parameters.max_rate, self._on_worker_error
            )
            self._ground = listen(self, self.parameters.base_frame)
            for camera in self._cameras.values():
                camera.open(partial(self._worker.images.put, camera.name))
            qos.check_use(self)
            self._bond.start()
        except Exception as error:  # rclpy discards it silently
            self._stop()
            super().on_deactivate(state)
            return self._refuse(f'cannot activate: {error}')
        for camera in self._cameras.values():
            self.get_logger().info(f'{camera.name}: {camera.summary()}')
            if self.parameters.rectify and is_rectified_topic(
                camera.image_topic.removesuffix('/compressed')
            ):
                self.get_logger().warning(
                    f'by its name, {camera.image_topic} is rectified, and would be undistorted '
                    'twice: set rectify to false, unless the name is wrong'
                )
        self.get_logger().info(f'publishes {self._diagnostics.topic_name}')
        self._network.ready()
        self._state = 'active'
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the current batch, unsubscribe, and disable the publishers."""
        self._stop()
        self._state = 'inactive'
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and destroy the publishers."""
        self.close()
        self._state = 'unconfigured'
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close all open resources; valid from every state."""
        self.close()
        self._state = 'finalized'
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured after a transition failed half-way."""
        self.close()
        self._state = 'unconfigured'
        return TransitionCallbackReturn.SUCCESS

    def autostart(self) -> None:
        """Configure and activate, as a lifecycle manager does."""
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def close(self, patience_s: float | None = None) -> None:
        """
        Stop the worker, close all topics and free the network.

        :param patience_s: time limit for the current batch in seconds; None for no limit. After
            it, the batch is abandoned.
        """
        self._stop(patience_s)
        for camera in self._cameras.values():
            camera.destroy()
        self._cameras = {}
        self._predictor = None

    def _stop(self, patience_s: float | None = None) -> None:
        """Break the bond, stop the worker and unsubscribe from every camera."""
        self._bond.stop()
        if self._worker is not None:
            self._worker.stop(patience_s)
            self._worker = None
        for camera in self._cameras.values():
            camera.close()
        self._ground.close()
        self._ground = NO_TF

    def _refuse(self, reason: str) -> TransitionCallbackReturn:
        self.get_logger().error(reason)
        self._network.failed(reason)
        return TransitionCallbackReturn.FAILURE

    def _load_unless_stopped(self) -> DepthPredictor | None:
        """Return the predictor that the parameters describe, None if stopped meanwhile."""
        # With torch, every living thread that has run the network keeps a team of OpenMP threads.
        # Two teams have more threads than there are cores. libgomp then makes the threads sleep
        # at every turn, and the worker's network takes half as long again.
        loader = ThreadPoolExecutor(1, 'loader')
        loading = loader.submit(_load_predictor, self.parameters, self.get_logger().info)
        while not wait([loading], STOP_CHECK_S).done:
            if self._is_stopped():
                return None
        loader.shutdown()
        return loading.result()

    def _refuse_invalid_transitions(self) -> None:
        """Answer an invalid request with "no"; before rclpy 9.1 it raises out of spin()."""
        if _rclpy_version() >= (9, 1):
            return
        (service,) = (
            service for service in self.services if service.srv_name.endswith('/change_state')
        )
        change_state = service.callback

        def change_state_if_valid(request, response):
            try:
                return change_state(request, response)
            except RCLError:
                transition = request.transition.label or request.transition.id
                self.get_logger().error(
                    f'refused transition {transition!r} in state {self._state}'
                )
                response.success = False
                return response

        service.callback = change_state_if_valid

    # Image processing, in the worker's thread

    def _process(self, received: dict[str, ReceivedImage]) -> None:
        """Publish the depth of each camera's newest image."""
        predictor, parameters = self._predictor, self.parameters
        if predictor is None:
            return
        pipeline = DepthPipeline(predictor, parameters)
        # Read once: the network computes what these need, and who subscribes while it runs gets
        # the outputs of the next image.
        outputs = {name: self._cameras[name].subscribed_outputs() for name in received}
        images = {
            name: image
            for name, waiting in received.items()
            if (image := self._prepared(self._cameras[name], waiting, outputs[name], pipeline))
            is not None
        }
        for name, result in self._predict(pipeline, images, outputs).items():
            camera = self._cameras.get(name)
            if camera is None:  # the process is ending without a wait for this batch
                return
            self._publish(camera, result, received[name], outputs[name], parameters)

    def _prepared(
        self,
        camera: Camera,
        received: ReceivedImage,
        outputs: frozenset[str],
        pipeline: DepthPipeline,
    ) -> CameraImage | None:
        """Return the image as network input, None if it is dropped or needs no network."""
        parameters = pipeline.parameters
        if not outputs:
            camera.drop('no_subscriber')
            return None
        try:
            image = camera.read(received.message)
            camera.check(image, parameters.frozen_after)
            image = preprocess(image, camera.state, parameters)
        except MessageError as error:
            camera.drop(error.cause, str(error))
            return None
        except CameraError as error:
            camera.drop('camera_info', str(error))
            return None
        except Exception as error:  # a bug of this package: count it, and serve the other cameras
            camera.drop('unreadable', f'{type(error).__name__}: {error}')
            return None
        fault = ''
        if outputs & NEEDS_JUDGE and not pipeline.predictor.has_judge:
            outputs, fault = outputs - NEEDS_JUDGE, NO_JUDGE
            camera.warn_once(fault)
        if not outputs:
            camera.counters.count_dropped('no_ground', fault)
            return None
        if image.camera is None and outputs <= NEEDS_CALIBRATION:
            camera.drop('no_cloud', image.no_cloud_reason)
            return None
        if outputs <= WITHOUT_NETWORK:
            self._publish_image(camera, image, outputs, received.received_s, fault)
            return None
        return image

    def _predict(
        self,
        pipeline: DepthPipeline,
        images: Mapping[str, CameraImage],
        outputs: Mapping[str, frozenset[str]],
    ) -> dict[str, DepthResult]:
        """Return the depth of each camera's image, without those on which the network fails."""
        if not images:
            return {}
        names = list(images)
        with_maps = any(MAPS & outputs[name] for name in names)
        with_confidence = any(
            needs_confidence(outputs[name], pipeline.parameters) for name in names
        )
        try:
            with_ground = any(
                needs_ground(outputs[name], pipeline.parameters)
                or self._corrects_by_contact(self._cameras[name], image, pipeline.parameters)
                for name, image in images.items()
            )
            results = pipeline.predict(
                list(images.values()), with_maps, with_confidence, with_ground
            )
        except Exception as error:  # out of memory, a lost device: report, and try the next image
            fault = one_line(f'{type(error).__name__}: {error}')
        else:
            self._network.ran(len(results))
            return dict(zip(names, results))
        # Retry outside the handler: the exception keeps the network's memory allocated.
        if len(names) > 1:  # the batch is too large, or one image causes the fault
            half = len(names) // 2
            return {
                **self._predict(pipeline, {name: images[name] for name in names[:half]}, outputs),
                **self._predict(pipeline, {name: images[name] for name in names[half:]}, outputs),
            }
        self._network.failed(f'the network failed: {fault}')
        self._cameras[names[0]].drop('network_failed', fault)
        return {}

    def _corrects_by_contact(
        self, camera: Camera, image: CameraImage, parameters: Parameters
    ) -> bool:
        """Return whether the image needs the judge; the first one with TF does, too."""
        from_tf = self._ground.read(image.frame_id, image.stamp_ns)
        return corrects_by_contact(parameters, camera.state, from_tf)

    def _publish(
        self,
        camera: Camera,
        result: DepthResult,
        received: ReceivedImage,
        outputs: frozenset[str],
        parameters: Parameters,
    ) -> None:
        """Publish those of the outputs of an image that still have a subscriber."""
        try:
            image = result.image
            reference = camera.reference_for(image, received.reference)
            from_tf = self._ground.read(image.frame_id, image.stamp_ns)
            result = postprocess(result, camera.state, parameters, reference, from_tf)
            outputs &= camera.subscribed_outputs()
            if not outputs:
                camera.drop('no_subscriber')
                return
            messages = output_messages(result, outputs, parameters)
            fault = ground_fault(result, outputs)
            if fault:
                camera.warn_once(fault)
                if not messages:
                    needs_plane = bool(outputs & GROUND_OUTPUTS.keys()) and not result.ground
                    reasons = fault, from_tf.fault if needs_plane else ''
                    camera.counters.count_dropped(
                        'no_ground', one_line('; '.join(filter(None, reasons)))
                    )
                    return
            for output, message in messages.items():
                camera.publish(output, message)
        except Exception as error:  # a fault of one camera must not affect the others
            camera.drop('publish_failed', str(error))
            return
        remarks = (
            camera.health.fault,
            result.image.no_cloud_reason,
            result.scale_fault,
            compression_fault(result.image, outputs),
            frame_fault(result.image, outputs, parameters),
            fault,
        )
        camera.counters.count_published(
            time.monotonic() - received.received_s, result, '; '.join(filter(None, remarks))
        )

    def _publish_image(
        self,
        camera: Camera,
        image: CameraImage,
        outputs: frozenset[str],
        received_s: float,
        fault: str,
    ) -> None:
        """Publish only the outputs that need no network."""
        try:
            for output, message in image_messages(image, outputs).items():
                camera.publish(output, message)
        except Exception as error:
            camera.drop('publish_failed', str(error))
        else:
            remarks = camera.health.fault, fault
            camera.counters.count_published(
                time.monotonic() - received_s, remark='; '.join(filter(None, remarks))
            )

    def _on_worker_error(self, error: Exception) -> None:
        self.get_logger().error(f'a batch failed: {type(error).__name__}: {error}')

    # Parameters and diagnostics

    def _change_parameters(self, changes: list[Parameter]):
        self.parameters, result = node_parameters.changed(self.parameters, changes)
        return result

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name()
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status.append(
            self._network.status(name, self._state, self._network_facts(), self._warning())
        )
        if self._state == 'active':
            message.status.extend(
                camera.status(name, self.parameters.stale_after)
                for camera in self._cameras.values()
            )
        self._diagnostics.publish(message)

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
            'CPU threads': str(engine.threads),
        }
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
    predictor = load_predictor(parameters, log)
    predictor.engine.use_threads()
    predictor.warm_up()
    return predictor


def _rclpy_version() -> tuple[int, ...]:
    """Return major and minor version, (0,) if unknown."""
    try:
        return tuple(int(part) for part in metadata.version('rclpy').split('.')[:2])
    except (metadata.PackageNotFoundError, ValueError):
        return (0,)


HELP = f"""
Publishes metric depth images and point clouds from camera images; a lifecycle node.

for each camera in the parameter `cameras` (default: camera)
  subscribes   <camera>/image (or <camera>/image/compressed), <camera>/camera_info;
               with scale_source reference or auto <camera>/scale_reference/image and .../range;
               /tf and /tf_static where tf2_ros is installed, unless base_frame is empty
  publishes    <camera>/depth/image, <camera>/depth/camera_info, <camera>/depth/points,
               <camera>/depth/image_color, <camera>/depth/structure, <camera>/depth/attention,
               <camera>/depth/confidence, <camera>/depth/ground, <camera>/depth/scale,
               <camera>/depth/obstacles, <camera>/depth/scan,
               <camera>/depth/image/compressedDepth, <camera>/depth/image_color/compressed;
               with rectify <camera>/depth/image_rect_color
and            /diagnostics

example
  depth_node --ros-args -r camera/image:=/front/image_raw \\
      -r camera/camera_info:=/front/camera_info -p rectify:=true

parameters (default)
{node_parameters.help_text()}
"""


def main(args: list[str] | None = None) -> int:
    """
    Run the node until a signal stops it.

    :param args: the command line without the program's name; None for that of the process.
    :returns: the exit code.
    """
    set_up_process()
    check_command_line('depth_node', HELP, args)
    with Session(args) as session:
        return _serve(session)


def _serve(session: Session) -> int:
    """Run the node; on return no local variable refers to it, so the session can collect it."""
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
