"""Asks a server as a browser would."""

import http.client
import json
from urllib.parse import urlsplit

from skactive.labelling._guard import HEADERS

TAB = "tab-of-a-test"


class Client:
    """Asks as a browser with the cookie of one labeller would."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.host, self.query = parts.netloc, parts.query
        status, headers, body = self.ask("GET", f"/?{self.query}", cookie=None)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b'<meta http-equiv="refresh" content="0; url=/">' in body
        assert {key: headers[key] for key in HEADERS} == HEADERS
        self.set_cookie = headers["set-cookie"]
        self.cookie = self.set_cookie.partition(";")[0]

    def ask(self, method, path, body=None, cookie="own", **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        if cookie is not None:
            headers["cookie"] = self.cookie if cookie == "own" else cookie
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def post(self, name, values, **headers):
        body = values if isinstance(values, (bytes, str)) else json.dumps(values)
        given = {"content_type": "application/json", "origin": f"http://{self.host}", **headers}
        given = {key: value for key, value in given.items() if value is not None}
        return self.ask("POST", f"/api/{name}", body, **given)

    def call(self, route, /, **values):
        status, _, body = self.post(route, {"tab": TAB, **values})
        assert status == 200, body
        return json.loads(body)
