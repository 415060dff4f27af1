"""Pass hooks on to a server that was written for nginx-rtmp: `nginx_hooks.py http://127.0.0.1:8000/auth` answers on port 8085."""

import http.server
import json
import sys
import urllib.parse
import urllib.request

CALLS = {
    "on_publish": "publish",
    "on_play": "play",
    "on_unpublish": "publish_done",
    "on_stop": "play_done",
    "on_dvr": "record_done",
}
"What nginx-rtmp calls each action."


def form(told: dict[str, str]) -> bytes:
    """The fields that nginx-rtmp sends, with the parameters of the stream beside them."""
    fields = dict(urllib.parse.parse_qsl(told.get("param", "").removeprefix("?")))
    fields |= {
        "call": CALLS[told["action"]],
        "app": told["app"],
        "name": told.get("stream", ""),
        "addr": told["ip"],
        "clientid": told["client_id"],
        "tcurl": told.get("tcUrl", ""),
        "pageurl": told.get("pageUrl", ""),
        "path": told.get("file", ""),
    }
    return urllib.parse.urlencode(fields).encode()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect renames a stream in nginx-rtmp; it is a refusal here, as in fastflv."""

    def redirect_request(self, *_: object) -> None:
        return None


class Hooks(http.server.BaseHTTPRequestHandler):
    """Answers `0` where the other server answers 2xx, else `1`."""

    protocol_version = "HTTP/1.1"
    target = ""
    "URL of the other server."
    opener = urllib.request.build_opener(NoRedirect)

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.opener.open(self.target, form(told), timeout=10).close()
            answer = b"0"
        except OSError:
            answer = b"1"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def main(target: str, port: int = 8085) -> None:
    Hooks.target = target
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Hooks).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
