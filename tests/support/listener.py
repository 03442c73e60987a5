"""A port on which nobody should call."""

import socket
import threading


class Listener:
    """A loopback port that notes every connection."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.calls = 0
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        # one last call of our own: whatever came before it has been counted
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        while self.calls == 0:
            self.thread.join(0.01)
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
