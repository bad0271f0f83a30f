"""Serve a page that shows the newest frame in a browser; needs only the standard library."""

from __future__ import annotations

import base64
from dataclasses import asdict
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import ipaddress
import json
from pathlib import Path
import sys
import threading
from urllib.parse import parse_qs, urlsplit

from ...ros.messages import MessageError
from .. import ToolError
from .live import LiveFrame, LiveView, to_jpeg

_PAGE = Path(__file__).with_name('page.html')
_LONGEST_WAIT_S = 2.0  # the page gets a status at least this often, even without a frame


class WebPage:
    """
    Serves the page from a thread; a context manager that starts and stops the server.

    A browser requests a frame after it shows the last one. So a slow connection gets fewer frames,
    and never old ones.

    :param live: source of the frames.
    :param host: address to listen on.
    :param port: to listen on; 0 for any free port.
    :raises ToolError: if the port is in use, or the address is not one of this machine.
    """

    def __init__(self, live: LiveView, host: str, port: int) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise ToolError(
                f'cannot serve the page on port {port} of {host}: {error.strerror}; give another '
                '--port or --host'
            ) from error
        self._server.live = live
        self._server.is_private = is_loopback(host)
        self.url = f'http://{host}:{self._server.server_port}'
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> WebPage:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    live: LiveView
    is_private: bool

    def handle_error(self, request, client_address) -> None:
        """Report what failed, except a browser that was closed before its answer was sent."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Send the page or the newest frame."""
        try:
            url = urlsplit(self.path)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        try:
            asked_host = urlsplit(f'//{self.headers.get("Host", "")}').hostname or ''
        except ValueError:  # the header has no name or address
            asked_host = ''
        # DNS rebinding: a foreign page whose name resolves to this machine gets no frames.
        if self.server.is_private and not is_loopback(asked_host):
            self.send_error(HTTPStatus.FORBIDDEN, 'This page is for this machine alone')
        elif url.path == '/':
            self._send('text/html; charset=utf-8', _PAGE.read_bytes())
        elif url.path == '/frame':
            after = parse_qs(url.query).get('after', ['0'])[0]
            frame = self.server.live.wait_for_frame(
                int(after) if after.isdecimal() and len(after) < 20 else 0, _LONGEST_WAIT_S
            )
            self._send(
                'application/json',
                json.dumps(
                    {
                        'status': asdict(self.server.live.status()),
                        'number': frame and frame.number,
                        'pictures': frame and _pictures(frame),
                    }
                ).encode(),
            )
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, kind: str, content: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.send_header('Cache-Control', 'no-store')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Log no requests."""


@lru_cache(maxsize=1)  # shared by several browsers
def _pictures(frame: LiveFrame) -> dict[str, str]:
    """Return the readable pictures of a frame as JPEG in base 64."""
    pictures = {}
    for name, message in frame.messages.items():
        try:
            pictures[name] = base64.b64encode(to_jpeg(message)).decode()
        except MessageError:
            continue  # the node counts it and reports it in its status
    return pictures


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address or ``localhost``."""
    try:
        return host == 'localhost' or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
