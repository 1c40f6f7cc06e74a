"""What was promised: reads acknowledgements and results off the wire, between the farm's processes, so that nobody's
own account has to be believed.

`taken`      the tracker has told an agent that it has a trial's result (ResultAck)
`delivered`  results on their way to a tuner (WaitResultsReply), with a digest of their bytes
`recorded`   the tuner says that it holds a trial's result safely (WaitResultsRequest.acknowledged_trial_ids)
"""
import hashlib
import re

from grpc_wire import MessageReader, fields

TRIAL_ID = re.compile(rb"[0-9a-f]{32}-[0-9]+")

# Fields of proto/farm.proto and proto/measure.proto.
TRACKER_MESSAGE_ACK, ACK_LEASE, LEASE_TRIAL_ID = 3, 1, 2
SUBMIT_TRIALS, TRIAL_ID_FIELD, TRIAL_SEED = 2, 1, 4
WAIT_ACKNOWLEDGED, REPLY_RESULTS = 2, 1
RESULT_TRIAL_ID, RESULT_STATUS_CODE = 1, 4


class Witness:
    """Belongs to the thread that forwards bytes; others read it when that thread has ended."""

    def __init__(self):
        self.taken, self.recorded = set(), set()
        self.delivered = {}    # trial id -> digests of the results that were sent
        self.given_up = set()  # trials whose result says that the farm could not carry them out
        self.seeds = {}        # trial id -> seed of its data

    def reader(self, link_kind, towards_tracker):
        """A function that takes the bytes of one direction of one connection."""
        reader = MessageReader()
        notice = {("agent", False): self._tracker_to_agent, ("tuner", True): self._tuner_to_tracker,
                  ("tuner", False): self._tracker_to_tuner}.get((link_kind, towards_tracker))

        def feed(data):
            for message in reader.feed(data):
                try:
                    notice(fields(message))
                except ValueError:
                    pass  # another rpc's message, whose strings are no messages
        return feed if notice else lambda data: None

    def _tracker_to_agent(self, message):
        for ack in message.get(TRACKER_MESSAGE_ACK, []):
            for lease in fields(ack).get(ACK_LEASE, []):
                self.taken |= {trial.decode() for trial in fields(lease).get(LEASE_TRIAL_ID, [])}

    def _tuner_to_tracker(self, message):
        for value in message.get(WAIT_ACKNOWLEDGED, []):
            if not isinstance(value, bytes):
                continue
            if TRIAL_ID.fullmatch(value):
                self.recorded.add(value.decode())
                continue
            trial = fields(value)
            ids = trial.get(TRIAL_ID_FIELD, [])
            if ids and TRIAL_ID.fullmatch(ids[0]):
                self.seeds[ids[0].decode()] = trial.get(TRIAL_SEED, [0])[0]

    def _tracker_to_tuner(self, message):
        for value in message.get(REPLY_RESULTS, []):
            if not isinstance(value, bytes):
                continue
            result = fields(value)
            ids = result.get(RESULT_TRIAL_ID, [])
            if not ids or not isinstance(ids[0], bytes) or not TRIAL_ID.fullmatch(ids[0]):
                continue
            trial = ids[0].decode()
            self.delivered.setdefault(trial, set()).add(hashlib.sha256(value).hexdigest())
            if result.get(RESULT_STATUS_CODE, [0])[0] != 0:
                self.given_up.add(trial)
