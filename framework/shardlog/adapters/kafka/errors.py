"""What the Kafka client can raise or report, turned into errors of ours: here and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import AppendFailed, JournalRefused, JournalUnavailable, ShardlogError

FOREIGN_ERRORS = (KafkaException, BufferError, FutureTimeout, RuntimeError, ValueError, TypeError, NotImplementedError)
"""What confluent_kafka raises: RuntimeError for a closed client, ValueError and TypeError for arguments it refuses."""
_REFUSED = {
    KafkaError._AUTHENTICATION: "the brokers do not take these credentials: set sasl_mechanism, sasl_user and "
    "sasl_password to a user that they know",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the brokers do not take these credentials: set sasl_user and sasl_password",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "the listener does not take this sasl_mechanism: set one that it takes",
    KafkaError.ILLEGAL_SASL_STATE: "the listener wants a user: set security_protocol to SASL_SSL and name the user",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the user may not use this topic: give it the right (kafka-acls.sh)",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the user may not use the readers' group: give it the right (kafka-acls.sh)",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the user may not do this: give it the right (kafka-acls.sh)",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the user may not use this transactional id: give it the right",
    KafkaError._SSL: "TLS failed: check security_protocol, ca_path, and that the address is that of the certificate",
    KafkaError._INVALID_ARG: "the client does not take a setting",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "there is no such topic or partition: create it",
    KafkaError.TOPIC_EXCEPTION: "the brokers do not take the topic's name: set `journal` to another",
    KafkaError.POLICY_VIOLATION: "the brokers' policy does not allow it: ask whoever runs them",
    KafkaError.INVALID_REPLICATION_FACTOR: "there are not so many brokers: set replication_factor",
    KafkaError.INVALID_CONFIG: "the brokers do not take a setting of the topic",
    KafkaError.UNSUPPORTED_VERSION: "the brokers cannot do this: use Apache Kafka 3.0 or newer",
}
"""What trying again does not help against, and what to do."""
_TRANSIENT = {
    KafkaError._TRANSPORT: "no broker answers",
    KafkaError._ALL_BROKERS_DOWN: "no broker answers",
    KafkaError._RESOLVE: "the host's name is not known",
    KafkaError._UNKNOWN_TOPIC: "there is no such topic, or the brokers that know it do not answer",
    KafkaError._UNKNOWN_PARTITION: "there is no such partition, or the brokers that know it do not answer",
    KafkaError._TIMED_OUT: "the brokers did not answer in time",
    KafkaError._MSG_TIMED_OUT: "the brokers did not take the record in time",
    KafkaError._QUEUE_FULL: "the producer's queue is full (queue_records_max, queue_bytes_max)",
    KafkaError._PURGE_QUEUE: "the writer was abandoned before it was sent",
    KafkaError._PURGE_INFLIGHT: "the writer was abandoned while it was on its way",
    KafkaError.NOT_ENOUGH_REPLICAS: "too few replicas are in sync",
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND: "too few replicas are in sync",
    KafkaError.MSG_SIZE_TOO_LARGE: "the record is larger than the topic's max.message.bytes: lower frame_bytes_max",
}
"""What may pass, in words."""


class Faults:
    """The last fault that a client reported beside its calls, such as a refused password: calls only time out then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusal: KafkaError | None = None

    def note(self, error: KafkaError) -> None:
        """A client's `error_cb`."""
        if error.code() in _REFUSED:
            with self._lock:
                self._refusal = error

    @property
    def refusal(self) -> KafkaError | None:
        """What no retry helps against, where one was reported since the last success."""
        with self._lock:
            return self._refusal

    def succeeded(self) -> None:
        """A call was answered, so what was reported before is over."""
        if self._refusal is not None:
            with self._lock:
                self._refusal = None


def kafka_error(error: BaseException) -> KafkaError | None:
    """The client library's own description, where there is one."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return found if isinstance(found, KafkaError) else None


def is_for_good(error: KafkaError | None) -> bool:
    """Whether trying again does not help."""
    return error is not None and error.code() in _REFUSED


def explain(error: KafkaError | BaseException, settings: KafkaSettings, doing: str) -> str:
    """One sentence: where, as whom, what was being done, the cause, the next step."""
    found = error if isinstance(error, KafkaError) else kafka_error(error)
    where = f"Kafka at {settings.listener}, {settings.user}"
    if found is None:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return f"{where}: {doing} failed: {said}"
    cause = _REFUSED.get(found.code()) or _TRANSIENT.get(found.code())
    said = f"{found.name()}: {found.str()}"
    return f"{where}: {doing} failed: {cause} ({said})" if cause else f"{where}: {doing} failed: {said}"


def our_error(
    error: KafkaError | BaseException, settings: KafkaSettings, doing: str, faults: Faults | None = None
) -> ShardlogError:
    """JournalRefused where somebody must act first, else JournalUnavailable.

    faults: what was reported beside the call, which then is the cause of its time-out.
    """
    found = error if isinstance(error, KafkaError) else kafka_error(error)
    if not is_for_good(found) and faults is not None and faults.refusal is not None:
        found = faults.refusal
    text = explain(error if found is None else found, settings, doing)
    return JournalRefused(text) if is_for_good(found) else JournalUnavailable(text)


def append_failed(error: KafkaError | BaseException, settings: KafkaSettings, doing: str) -> AppendFailed:
    """An append that ended in an error: it may stand in the log or not."""
    return AppendFailed(explain(error, settings, doing))


@contextmanager
def kafka_errors(settings: KafkaSettings, doing: str, faults: Faults | None = None) -> Iterator[None]:
    """Raise what the client raises inside as ours."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise our_error(error, settings, doing, faults) from error
