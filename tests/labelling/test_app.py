"""The server, asked over its socket: what it answers, and every probe of the design."""

import json
import shutil
import socket
import threading
import time
import uuid
from urllib.parse import urlsplit

import pytest
from PIL import Image

from skactive.labelling import _app, _serve, serve
from skactive.labelling._guard import HEADERS, MOST_BYTES
from skactive.labelling._serve import Server, _hanging_up
from tests.labelling.asking import TAB, Client
from tests.labelling.folders import make_folder

READS = [
    "/",
    "/page.js",
    "/finder.js",
    "/outbox.js",
    "/pictures.js",
    "/page.css",
    "/icon.png",
    "/image/1",
    "/api/state",
    "/api/export/labels.csv",
]
WRITES = ["next", "events", "classes", "release", "review", "last"]


@pytest.fixture
def server(tmp_path):
    make_folder(tmp_path / "photos", 12)
    found = Server(tmp_path / "photos", ["ada", "bob"], n_test=4, train=False)
    found.start()
    found._threads[0].join()  # the catalogue is complete
    yield found
    found.stop()


@pytest.fixture
def client(server):
    return Client(server.addresses[0].url)


def event(image, **values):
    return {"uuid": str(uuid.uuid4()), "image": image, "kind": "skip", "via": "random", **values}


def test_the_key_becomes_a_cookie_that_scripts_cannot_read(client):
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(client.set_cookie.split("; "))


def test_it_listens_on_this_computer_alone(server):
    assert server._socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("path", READS)
def test_probes_of_reading(path, client):
    status, headers, _ = client.ask("GET", path)
    assert status == 200
    assert {key: headers[key] for key in HEADERS} == HEADERS
    assert "svg" not in headers["content-type"]
    assert client.ask("GET", path, cookie=None)[0] == 401
    other = "y" if client.cookie[-1] == "x" else "x"  # keys are random
    assert client.ask("GET", path, cookie=client.cookie[:-1] + other)[0] == 401
    assert client.ask("GET", path, host="evil.example")[0] == 421
    assert client.ask("GET", path, host=f"evil.example:{client.host[-5:]}")[0] == 421
    assert client.ask("POST", path, "{}", content_type="application/json")[0] == 403


@pytest.mark.parametrize("name", WRITES)
def test_probes_of_writing(name, client):
    path = f"/api/{name}"
    origin = f"http://{client.host}"
    assert client.post(name, {}, cookie="")[0] == 401
    assert client.post(name, {}, host="evil.example")[0] == 421
    assert client.post(name, {}, origin=None)[0] == 403
    assert client.post(name, {}, origin="http://evil.example")[0] == 403
    assert client.post(name, {}, origin="null")[0] == 403
    assert client.post(name, {}, content_type="text/plain")[0] == 415
    assert client.post(name, {}, content_type="application/x-www-form-urlencoded")[0] == 415
    assert client.post(name, "[")[0] == 400
    assert client.post(name, "[]")[0] == 400
    assert client.ask("GET", path)[0] == 405
    given = {"cookie": client.cookie, "origin": origin, "content-type": "application/json"}
    assert said(client.host, path, {**given, "content-length": str(MOST_BYTES + 1)}, b"") == 413
    # of no length that is said
    chunk = b"%x\r\n" % 100_000 + b" " * 100_000 + b"\r\n"
    assert said(client.host, path, {**given, "transfer-encoding": "chunked"}, chunk * 11) == 413


def said(host, path, headers, body):
    """Send a request as it is, and return the status of what comes back first."""
    name, _, port = host.partition(":")
    head = [f"POST {path} HTTP/1.1", f"host: {host}", *(f"{k}: {v}" for k, v in headers.items())]
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return int(connection.recv(64).split()[1])


def test_images_are_those_of_the_catalogue(client, server, tmp_path):
    make_folder(tmp_path / "secret", 1)
    for path in (
        "/image/999",
        "/image/..%2F..%2Fsecret%2F0000.png",
        "/image/0000.png",
        "/image/-1",
    ):
        assert client.ask("GET", path)[0] == 404
    path = tmp_path / "photos" / "0000.png"
    number = server.database.value("SELECT id FROM image WHERE path = '0000.png'")
    path.unlink()
    path.symlink_to(tmp_path / "secret" / "0000.png")
    assert client.ask("GET", f"/image/{number}")[0] == 404
    assert server.database.value("SELECT state FROM image WHERE id = ?", number) == "missing"


@pytest.mark.parametrize(
    "content", [b"<svg onload='alert(1)'/>", b"<html><script>alert(1)</script>", b"", b"\x89PNG"]
)
def test_what_is_no_image_is_415_and_never_asked_for(content, client, server, tmp_path):
    (tmp_path / "photos" / "0003.png").write_bytes(content)
    number = server.database.value("SELECT id FROM image WHERE path = '0003.png'")
    status, headers, body = client.ask("GET", f"/image/{number}")
    assert (status, headers["content-type"]) == (415, "application/json")
    assert b"alert" not in body
    asked = client.call("next", n=20)["images"]
    assert number not in [one["image"] for one in asked]
    assert len(asked) == 11


def test_a_disk_that_is_away_is_not_a_broken_file(client, server, monkeypatch):
    def away(self):
        raise PermissionError(13, "not now")

    monkeypatch.setattr("pathlib.Path.read_bytes", away)
    assert client.ask("GET", "/image/1")[0] == 503
    assert server.database.value("SELECT state FROM image WHERE id = 1") == "ok"


def test_images_are_encoded_anew_and_upright(client, server, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (600, 300), "red")
    image.save(tmp_path / "photos" / "0001.png", "JPEG", exif=exif, comment=b"<script>")
    number = server.database.value("SELECT id FROM image WHERE path = '0001.png'")
    status, headers, body = client.ask("GET", f"/image/{number}")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert b"<script>" not in body
    (tmp_path / "sent").write_bytes(body)
    with Image.open(tmp_path / "sent") as sent:
        assert sent.size == (300, 600)


def test_two_images_are_decoded_at_a_time(client, monkeypatch):
    here, most = [], []

    def slow(*_):
        here.append(1)
        most.append(len(here))
        time.sleep(0.05)
        here.pop()
        return b"", "image/png"

    monkeypatch.setattr(_app, "picture", slow)
    asking = [threading.Thread(target=client.ask, args=("GET", f"/image/{i}")) for i in range(1, 9)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(most) == 8
    assert max(most) == 2


def test_events_are_written_once_and_by_whoever_has_the_key(client, server):
    fox = client.call("classes", name="fox")["id"]
    sent = [event(1, kind="label", **{"class": fox}), event(2)]
    for _ in range(2):
        done = client.call("events", events=sent)
        assert done == {"written": [one["uuid"] for one in sent], "refused": {}}
    bob = Client(server.addresses[1].url)
    bob.call("events", events=[event(3)])
    rows = server.database.read(
        "SELECT e.image, l.name FROM event e JOIN labeller l ON l.id = e.labeller ORDER BY 1"
    )
    assert rows == [(1, "ada"), (2, "ada"), (3, "bob")]
    undo = event(1, kind="undo", undoes=sent[0]["uuid"])
    assert bob.call("events", events=[undo])["written"] == []
    assert client.call("events", events=[undo])["written"] == [undo["uuid"]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "1"},
        {"image": True},
        {"image": 2**60},
        {"image": 999},
        {"kind": "think"},
        {"class": 99, "kind": "label"},
        {"uuid": "short"},
        {"at": 5},
        {"labeller": 2},
        {"shown_p": "x"},
    ],
)
def test_a_wrong_event_is_refused_and_the_others_are_written(wrong, client, server):
    good = event(2)
    done = client.call("events", events=[{**event(1), **wrong}, good])
    assert done["written"] == [good["uuid"]]
    assert len(done["refused"]) == 1
    assert server.database.count("SELECT COUNT(*) FROM event") == 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("next", {"n": -1}),
        ("next", {"n": "3"}),
        ("next", {"n": 1, "tab": 3}),
        ("next", {"n": 1, "have": "all"}),
        ("events", {}),
        ("events", {"events": "none"}),
        ("classes", {"name": ""}),
        ("classes", {}),
        ("release", {"tab": ""}),
    ],
)
def test_wrong_values_are_400(name, values, client):
    status, _, body = client.post(name, {"tab": TAB, **values})
    assert status == 400
    assert json.loads(body)["error"]


def test_tabs_and_labellers_are_never_asked_the_same(client, server):
    bob = Client(server.addresses[1].url)
    found = [client.call("next", n=4), client.call("next", n=4, tab="another-tab")]
    found.append(bob.call("next", n=4))
    images = [one["image"] for answer in found for one in answer["images"]]
    assert len(images) == len(set(images)) == 12
    client.call("release")
    assert len(bob.call("next", n=12)["images"]) == 8


def test_no_guess_is_shown_for_what_measures(client, server):
    client.call("classes", name="fox")
    with server.database.writing() as connection:
        connection.execute(
            "INSERT INTO round (id, started, ended, strategy, n_labels, fit_s, seed)"
            " VALUES (1, 0, 1, 'Margin', 2, 1, 0)"
        )
        connection.executemany(
            "INSERT INTO prediction VALUES (?, 1, 1, 0.9)", [(i,) for i in range(1, 13)]
        )
    for one in client.call("next", n=12)["images"]:
        assert (one["guess"] is None) == (one["via"] == "test")


def test_state_and_export(client):
    fox = client.call("classes", name="fox/ü")["id"]
    client.call("events", events=[event(1, kind="label", **{"class": fox})])
    state = json.loads(client.ask("GET", "/api/state")[2])
    assert state["labeller"] == "ada"
    assert state["classes"] == [{"id": fox, "name": "fox/ü", "key": "1", "n": 1}]
    assert state["images"] == {"ok": 12}
    assert state["accuracy"]["text"].startswith("not yet known")
    status, headers, body = client.ask("GET", "/api/export/labels.csv")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="labels.csv"'
    assert "fox/ü" in body.decode()
    assert client.ask("GET", "/api/export/..%2Flabels.sqlite")[0] == 404


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_scan_that_fails_is_said_on_the_page(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(5, "the disk is gone")

    make_folder(tmp_path, 3)
    monkeypatch.setattr(_serve, "scan", fail)
    server = Server(tmp_path, ["ada"], train=False)
    server.start()
    try:
        server._threads[0].join()
        state = json.loads(Client(server.addresses[0].url).ask("GET", "/api/state")[2])
        what = "looking for images has failed: [Errno 5] the disk is gone"
        assert state["doing"] == [what, 0, 0]
    finally:
        server.stop()


def test_the_last_decision_and_what_it_has_replaced(client, server):
    assert client.call("last") == {"event": None}
    fox = client.call("classes", name="fox")["id"]
    sent = [event(1, kind="label", **{"class": fox}), event(1), event(2)]
    client.call("events", events=sent)
    Client(server.addresses[1].url).call("events", events=[event(3)])
    found = client.call("last")
    assert (found["event"]["uuid"], found["before"]) == (sent[2]["uuid"], None)
    assert found["asked"]["image"] == 2
    path = server.database.value("SELECT path FROM image WHERE id = 2")
    assert found["asked"]["path"] == path
    client.call("events", events=[event(2, kind="undo", undoes=sent[2]["uuid"])])
    found = client.call("last")
    assert found["event"] == {"uuid": sent[1]["uuid"], "kind": "skip", "class": None}
    assert found["before"] == {"uuid": sent[0]["uuid"], "kind": "label", "class": fox}


def test_an_image_that_two_have_labelled_is_one(client, server):
    fox = client.call("classes", name="fox")["id"]
    for one in (client, Client(server.addresses[1].url)):
        one.call("events", events=[event(1, kind="label", **{"class": fox})])
    state = json.loads(client.ask("GET", "/api/state")[2])
    assert state["decisions"] == {"label": 1}
    assert state["named"]


def test_a_review_ends_where_no_network_looks(client, server):
    assert client.call("review", again=True) == {"images": [], "done": True, "looked": False}
    server.desk.trains = True
    assert not client.call("review")["done"]
    server.desk.given_up = lambda: True
    assert client.call("review")["done"]
    server.database.set("review", "done")
    assert client.call("review")["looked"]


def test_a_page_that_is_open_outlives_the_server(client, server, tmp_path):
    host = client.host
    server.stop()
    again = Server(tmp_path / "photos", ["ada"], train=False)
    again.start()
    try:
        assert urlsplit(again.addresses[0].url).netloc == host
        assert client.ask("GET", "/api/state")[0] == 200
    finally:
        again.stop()


def test_a_port_that_is_taken(server, tmp_path):
    second = Server(tmp_path / "photos", ["ada"], train=False)
    assert urlsplit(second.addresses[0].url).port != server._socket.getsockname()[1]
    second.close()
    taken = server._socket.getsockname()[1]
    with pytest.raises(OSError, match=r"."):
        Server(tmp_path / "photos", ["ada"], port=taken, train=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host": "0.0.0.0"}, "'labellers' parameter of serve.*names.*open to a network"),
        ({"classes": [""]}, "'classes' parameter of serve.*names"),
        ({"settings": {"strategy": "best"}}, "'strategy'.*one of"),
        ({"settings": {"size": 2}}, "'size'.*at least 8"),
        ({"folder": "nowhere"}, "'folder'.*a folder of image files"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        serve(**{"folder": tmp_path, "train": False, **arguments})


def test_sockets_are_closed_and_the_folder_is_free(server, tmp_path):
    port = server._socket.getsockname()[1]
    server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    shutil.rmtree(tmp_path / "photos")


def test_who_has_not_read_an_answer_keeps_nothing_open():
    """Uvicorn waits for a while, and then leaves the connection as it is."""
    import uvicorn

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(50_000_000)})

    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = _hanging_up(uvicorn)(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
    with socket.create_connection(listening.getsockname()) as reader:
        thread.start()
        reader.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert reader.recv(10)
        (connection,) = server.server_state.connections
        server.should_exit = True
        thread.join()
        assert connection.transport.get_extra_info("socket").fileno() == -1
