"""A network that can fail: every process talks to the tracker through a link of its own, which delays, holds back and
resets. Runs in a thread of its own."""
import asyncio
import socket
import struct
import threading

CHUNK = 1 << 16


class Link:
    """A port whose connections are carried on to the tracker."""

    def __init__(self, network, name, kind):
        self.name, self.kind = name, kind
        self.port = 0
        self._network = network
        self._connections = set()
        self._delay_s = 0.0
        self._open = {True: asyncio.Event(), False: asyncio.Event()}  # by direction: towards the tracker or from it
        for gate in self._open.values():
            gate.set()

    async def listen(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def reset(self):
        for writer in list(self._connections):
            _abort(writer)

    def delay(self, seconds):
        self._delay_s = seconds

    def hold(self, directions):
        for direction in directions:
            self._open[direction].clear()

    def release(self):
        for gate in self._open.values():
            gate.set()

    async def _serve(self, reader, writer):
        self._connections.add(writer)
        onward = None
        try:
            await self._open[True].wait()
            tracker_reader, onward = await asyncio.open_connection("127.0.0.1", self._network.tracker_port)
            self._connections.add(onward)
            await asyncio.gather(self._pump(reader, onward, True), self._pump(tracker_reader, writer, False))
        except OSError:
            pass  # the tracker is away, or one end has gone: the other end learns it by the reset
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._connections.discard(end)
                    _abort(end)

    async def _pump(self, reader, writer, towards_tracker):
        notice = self._network.witness.reader(self.kind, towards_tracker)
        while True:
            data = await reader.read(CHUNK)
            if not data:
                raise ConnectionResetError
            # The witness believes what was said, whether or not it arrives.
            notice(data)
            if self._delay_s > 0:
                await asyncio.sleep(self._delay_s)
            await self._open[towards_tracker].wait()
            writer.write(data)
            await writer.drain()


def _abort(writer):
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Network:
    """Links to one tracker. `tracker_port` may be set later."""

    def __init__(self, witness):
        self.witness = witness
        self.tracker_port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def add_link(self, name, kind):
        async def make():
            link = Link(self, name, kind)
            await link.listen()
            return link
        return asyncio.run_coroutine_threadsafe(make(), self._loop).result()

    def call(self, function, *arguments):
        """Runs a method of a link where links live."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
