"""The witness: whole and broken frames, the messages that it knows, and those that it must not mistake for them."""
import unittest

from grpc_wire import DATA, PREFACE, MessageReader, fields
from witness import Witness

TRIAL = b"0123456789abcdef0123456789abcdef-7"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def frame(stream, payload, kind=DATA, flags=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def grpc(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def witness_of(link, towards_tracker, *messages):
    witness = Witness()
    feed = witness.reader(link, towards_tracker)
    for i, message in enumerate(messages):
        feed(frame(2 * i + 1, grpc(message)))
    return witness


class MessageReaderTest(unittest.TestCase):
    def test_bytes_may_come_one_at_a_time(self):
        data = PREFACE + frame(0, b"\0" * 6, kind=4) + frame(1, grpc(b"hello")[:4]) + frame(1, grpc(b"hello")[4:])
        reader, messages = MessageReader(), []
        for i in range(len(data)):
            messages += reader.feed(data[i:i + 1])
        self.assertEqual(messages, [b"hello"])

    def test_streams_do_not_mix_and_a_reset_one_is_forgotten(self):
        one, two = grpc(b"one"), grpc(b"two")
        data = frame(1, one[:6]) + frame(3, two[:6]) + frame(1, b"\0\0\0\0", kind=3) + frame(3, two[6:])
        self.assertEqual(MessageReader().feed(data), [b"two"])

    def test_padding_is_no_data(self):
        self.assertEqual(MessageReader().feed(frame(1, b"\2" + grpc(b"x") + b"\0\0", flags=0x8)), [b"x"])

    def test_what_ends_early_is_no_message(self):
        for data in (b"\x0a", b"\x0a\x05ab", b"\x08\x80", b"\x0f"):
            with self.assertRaises(ValueError):
                fields(data)


class WitnessTest(unittest.TestCase):
    def test_an_acknowledgement_to_an_agent_is_taken(self):
        lease = field(1, b"session") + field(2, TRIAL) + field(3, 1 << 40)
        witness = witness_of("agent", False, field(3, field(1, lease)), field(2, field(1, lease)))
        self.assertEqual(witness.taken, {TRIAL.decode()})

    def test_results_are_delivered_and_compared(self):
        result = field(1, TRIAL) + field(4, 0)
        witness = witness_of("tuner", False, field(1, result), field(1, result), field(1, b"0.1.0"))
        self.assertEqual({trial: len(seen) for trial, seen in witness.delivered.items()}, {TRIAL.decode(): 1})
        other = witness_of("tuner", False, field(1, result), field(1, result + field(18, 2)))
        self.assertEqual(len(other.delivered[TRIAL.decode()]), 2)
        self.assertEqual(witness_of("tuner", False, field(1, field(1, TRIAL) + field(4, 10))).given_up, {TRIAL.decode()})

    def test_what_a_tuner_holds_is_told_from_what_it_submits(self):
        wait = field(1, b"session") + field(2, TRIAL) + field(3, 20)
        self.assertEqual(witness_of("tuner", True, wait).recorded, {TRIAL.decode()})
        submit = field(1, b"session") + field(2, field(1, TRIAL) + field(3, b"hash") + field(4, 5))
        witness = witness_of("tuner", True, submit)
        self.assertEqual((witness.recorded, witness.seeds), (set(), {TRIAL.decode(): 5}))


if __name__ == "__main__":
    unittest.main()
