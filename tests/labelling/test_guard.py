"""Who may come in: names, addresses and cookies."""

import pytest

from skactive.labelling._guard import Guard
from skactive.labelling._serve import Server
from tests.labelling.asking import TAB, Client
from tests.labelling.folders import make_folder


@pytest.fixture
def client(tmp_path):
    make_folder(tmp_path / "photos", 3)
    server = Server(tmp_path / "photos", ["ada"], train=False)
    server.start()
    yield Client(server.addresses[0].url)
    server.stop()


def test_odd_cookies_of_other_servers_do_no_harm(client):
    """Cookies of 127.0.0.1 are shared by all its ports."""
    for odd in ("a[1]=2", "{}", "=", "x", 'q="a;b"', "\u00e9=1"):
        cookie = f"{odd}; {client.cookie}; {odd}"
        assert client.ask("GET", "/api/state", cookie=cookie.encode("latin-1"))[0] == 200


def test_a_name_in_capitals_is_the_same(client):
    host = client.host.replace("127.0.0.1", "LocalHost")
    assert client.ask("GET", "/api/state", host=host)[0] == 200
    status = client.post("release", {"tab": TAB}, host=host, origin=f"http://{host.lower()}")[0]
    assert status == 200


def test_a_server_for_all_addresses_answers_at_each_and_to_no_other_name(tmp_path):
    make_folder(tmp_path, 3)
    server = Server(tmp_path, ["ada"], host="0.0.0.0", train=False)
    server.start()
    try:
        url = server.addresses[0].url
        assert "//0.0.0.0" not in url
        client = Client(url)
        assert client.ask("GET", "/api/state")[0] == 200
        _, _, port = client.host.partition(":")
        client.host = f"127.0.0.1:{port}"  # by which the request comes in
        assert client.ask("GET", "/api/state")[0] == 200
        assert client.post("release", {"tab": TAB})[0] == 200
        for other in ("evil.example", "192.0.2.7", "0.0.0.0.evil.example"):
            assert client.ask("GET", "/api/state", host=f"{other}:{port}")[0] == 421
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("host", "status"), [("here", 200), ("HERE:80", 200), ("here:81", 421), ("there", 421)]
)
def test_browsers_leave_out_port_80(host, status):
    found = Guard(None, {"here:80"}, {"key": "ada"}, "c")._verdict(
        {"server": ("10.0.0.1", 80), "path": "/", "query_string": b"", "method": "GET"},
        {"host": host, "cookie": "c=key"},
    )[0]
    assert found == (status if status != 200 else 0)
