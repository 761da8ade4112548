"""Connecting: each failure ends with exit code 3 and says what was tried, why it failed, what to do."""

import socket
import threading
from contextlib import closing

import pytest
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from workers.engine.address import Address
from workers.engine.attributes import wanted
from workers.engine.connect import _CAUSES, _cause

TLS_ALERT = bytes.fromhex("15030100020246")


@pytest.fixture
def strange_server():
    """Speaks TLS to those who do not: it answers with an alert and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(TLS_ALERT)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_input_54_unreachable(shell):
    """Nothing listens: the address, where it was said, and how to start an engine."""
    address = "127.0.0.1:1"  # a port that nobody is given

    ended = shell.run("worker", TEMPORAL_ADDRESS=address)

    assert ended.returncode == 3
    assert f"no Temporal at {address}, namespace default (from TEMPORAL_ADDRESS): nothing listens" in ended.stderr
    assert "workunits up" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_input_54_no_such_host(shell):
    """An unknown host is called that."""
    ended = shell.run("worker", TEMPORAL_ADDRESS="no.such.host.invalid:7233")

    assert ended.returncode == 3
    assert "no.such.host.invalid:7233" in ended.stderr
    assert "no such host" in ended.stderr


def test_input_54_an_address_without_a_port(shell):
    """An address that cannot be one is a mistake in the configuration."""
    ended = shell.run("worker", TEMPORAL_ADDRESS="localhost")

    assert ended.returncode == 2
    assert "should be host:port" in ended.stderr


def test_input_55_wrong_namespace(shell, at):
    """A worker on a namespace that does not exist ends at once, instead of polling in vain."""
    ended = shell.run("worker", **at, TEMPORAL_NAMESPACE="nowhere")

    assert ended.returncode == 3
    assert "has no namespace nowhere" in ended.stderr
    assert "temporal operator namespace create --namespace nowhere" in ended.stderr


def test_input_56_tls_to_a_server_without(shell, at):
    """TLS to a server that speaks none."""
    ended = shell.run("worker", **at, TEMPORAL_TLS="true")

    assert ended.returncode == 3
    assert "speaks no TLS" in ended.stderr


def test_input_56_no_tls_to_a_server_with(shell, strange_server):
    """No TLS to a server that wants it."""
    ended = shell.run("worker", TEMPORAL_ADDRESS=strange_server)

    assert ended.returncode == 3
    assert strange_server in ended.stderr
    assert "TEMPORAL_TLS=true" in ended.stderr


@pytest.mark.parametrize("variable", ["TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH"])
def test_input_56_bad_certificate(shell, at, variable):
    """What is no certificate is refused: the SDK would ignore a CA that it cannot read."""
    file = shell.write("ca.pem", "garbage\n")

    ended = shell.run("worker", **at, **{variable: str(file)})

    assert ended.returncode == 3
    assert f"{file} is no PEM certificate" in ended.stderr


def test_input_56_no_certificate(shell, at):
    """A certificate that is not there, and one without its key."""
    missing = shell.run("worker", **at, TEMPORAL_TLS_SERVER_CA_CERT_PATH="none.pem")
    keyless = shell.run("worker", **at, TEMPORAL_TLS_CLIENT_KEY_DATA="x")

    assert (missing.returncode, keyless.returncode) == (3, 3)
    assert "CA certificate none.pem cannot be read: No such file or directory" in missing.stderr
    assert "certificate (TEMPORAL_TLS_CLIENT_CERT_PATH) is missing" in keyless.stderr


@pytest.mark.parametrize(("words", "means"), _CAUSES)
def test_input_56_the_cores_words_become_ours(words, means):
    """What the SDK's core says about TLS and the network is put into words with a remedy."""
    where = Address("127.0.0.1:1", "default", {}, "the default", encrypted=False)

    assert _cause(f"Failed client connect: X({words})", where).startswith(means)


async def test_input_57_attribute_type(shell, engine):
    """A search attribute of another type would leave every case stuck: the worker does not start."""
    client = await Client.connect(engine.address.host)
    request = RegisterNamespaceRequest(namespace="odd")
    request.workflow_execution_retention_period.FromSeconds(86_400 * 3)
    await client.workflow_service.register_namespace(request)
    odd = await Client.connect(engine.address.host, namespace="odd")
    types = dict(wanted()) | {"WorkUnitDueAt": wanted()["WorkUnitState"]}
    await odd.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="odd", search_attributes=types), retry=True
    )

    ended = shell.run("worker", TEMPORAL_ADDRESS=engine.address.host, TEMPORAL_NAMESPACE="odd")
    examined = shell.run("doctor", TEMPORAL_ADDRESS=engine.address.host, TEMPORAL_NAMESPACE="odd")

    why = "search attribute WorkUnitDueAt is of type Keyword, should be Datetime"
    assert ended.returncode == 3
    assert f"namespace odd: {why}" in ended.stderr
    assert examined.returncode == 1
    assert why in examined.stdout
