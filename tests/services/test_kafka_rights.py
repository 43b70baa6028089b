"""The rights that the page on operations lists are enough for each role, and keep others from writing sends."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from tests.docs.stranger import ROOT
from tests.services.kafka_roles import SHARDS, Load, Place, eventually

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
RESOURCES = {
    "--topic": ResourceType.TOPIC,
    "--group": ResourceType.GROUP,
    "--transactional-id": ResourceType.TRANSACTIONAL_ID,
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[KafkaCluster]:
    """A broker whose secured listener gives its user no rights at first; the other one takes everything."""
    with KafkaCluster(BrokerOptions(is_secured=True, properties=AUTHORIZER)) as cluster:
        yield cluster


def rights(principal: str, journal: str, user: str) -> list[AclBinding]:
    """What the page gives a principal, for another user."""
    page = (ROOT / "docs" / "operations.md").read_text().replace("\\\n", " ")
    found: list[AclBinding] = []
    for line in re.findall(rf"^kafka-acls\.sh .*--allow-principal User:{principal} .*$", page, re.MULTILINE):
        words = shlex.split(line.replace("NAME", journal))
        pairs = list(itertools.pairwise(words))
        pattern = ResourcePatternType.PREFIXED if "prefixed" in words else ResourcePatternType.LITERAL
        for option, name in pairs:
            for operation in (value for key, value in pairs if key == "--operation" and option in RESOURCES):
                found.append(
                    AclBinding(
                        RESOURCES[option],
                        name,
                        pattern,
                        f"User:{user}",
                        "*",
                        OPERATIONS[operation],
                        AclPermissionType.ALLOW,
                    )
                )
    assert found, f"the page gives {principal} nothing"
    return found


@pytest.mark.parametrize(
    ("principal", "arguments"),
    [("executor", ["executor", "--ordinal", "0"]), ("relay", ["relay"]), ("projector", ["projector"])],
)
def test_the_rights_of_the_page_are_enough(
    tmp_path: Path, guarded: KafkaCluster, journal_name: str, principal: str, arguments: list[str]
) -> None:
    admin = AdminClient({"bootstrap.servers": guarded.bootstrap})
    (tmp_path / "open").mkdir()
    (tmp_path / "secured").mkdir()
    anybody = Place(tmp_path / "open", guarded.bootstrap, journal_name).init()
    place = Place(tmp_path / "secured", guarded.secured_bootstrap, journal_name, kafka=secured_settings(guarded))
    refused = place.run("serve", *arguments)
    assert refused.code == 78, refused.err
    for done in admin.create_acls(rights(principal, journal_name, guarded.user)).values():
        done.result()
    with place.serving(*arguments) as role:
        role.ready()
        load = Load(anybody)
        if principal == "executor":
            eventually(lambda: load.is_executed_once(anybody), "not all is executed")
            eventually(lambda: len(anybody.view().owners) == SHARDS, "nothing is announced")
        assert role.terminate() == 0, role.log
        for word in ("AUTHORIZATION", "give it the right"):
            assert word not in role.log
    assert is_refused(guarded, anybody.settings.kafka.sends_topic) is (principal != "relay")


def test_who_may_not_make_topics_is_told_the_command_for_whoever_may(
    tmp_path: Path, guarded: KafkaCluster, journal_name: str
) -> None:
    place = Place(tmp_path, guarded.secured_bootstrap, journal_name, kafka=secured_settings(guarded))
    refused = place.run("admin", "init")
    assert refused.code == 78, refused.err
    assert "give it the right" in refused.err
    assert f"kafka-topics.sh --bootstrap-server {guarded.secured_bootstrap} --create" in refused.err
    assert f"--topic {place.settings.kafka.control_topic} --partitions 1 --config cleanup.policy=compact" in refused.err


def test_a_right_that_is_taken_away_for_a_while_stops_no_shard_that_served(
    tmp_path: Path, guarded: KafkaCluster, journal_name: str
) -> None:
    admin = AdminClient({"bootstrap.servers": guarded.bootstrap})
    (tmp_path / "open").mkdir()
    (tmp_path / "secured").mkdir()
    anybody = Place(tmp_path / "open", guarded.bootstrap, journal_name).init()
    place = Place(tmp_path / "secured", guarded.secured_bootstrap, journal_name, kafka=secured_settings(guarded))
    given = rights("executor", journal_name, guarded.user)
    of_the_journal = [one for one in given if one.name == place.settings.kafka.journal_topic]
    for done in admin.create_acls(given).values():
        done.result()
    load = Load(anybody)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        for done in admin.delete_acls([binding_filter(one) for one in of_the_journal]).values():
            done.result()
        load.deposit(40)
        executor.wait_until(lambda: executor.lines[-1]["waiting"] == list(range(SHARDS)), "it does not say so")
        assert executor.lines[-1]["failed"] == []
        executor.logs("the user may not use this topic: give it the right")
        for done in admin.create_acls(of_the_journal).values():
            done.result()
        executor.serves(*range(SHARDS))
        eventually(lambda: load.is_executed_once(anybody), "not all is executed")
        said = [line.partition("] ")[2] for line in executor.log.splitlines() if "pending frames" in line]
        assert len(said) == len(set(said)), "each reason is said once"
        assert executor.terminate() == 0, executor.log


def binding_filter(binding: AclBinding) -> AclBindingFilter:
    b = binding
    return AclBindingFilter(
        b.restype, b.name, b.resource_pattern_type, b.principal, b.host, b.operation, b.permission_type
    )


def secured_settings(cluster: KafkaCluster) -> str:
    """Lines of [kafka] for the secured listener."""
    return f"""
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-256"
sasl_user = "{cluster.user}"
sasl_password = "{cluster.password}"
ca_path = "{cluster.authority_path}"
"""


def is_refused(cluster: KafkaCluster, topic: str) -> bool:
    """Whether the user may not write there."""
    producer = Producer(
        {
            "bootstrap.servers": cluster.secured_bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": cluster.user,
            "sasl.password": cluster.password,
            "ssl.ca.location": str(cluster.authority_path),
        }
    )
    said: list[object] = []
    producer.produce(topic, b"[]", partition=0, on_delivery=lambda error, _message: said.append(error))
    assert producer.flush(30) == 0
    return said[0] is not None  # a KafkaError cannot be compared with None
