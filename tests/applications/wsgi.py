"""A WSGI application, on wsgiref or loaded by uWSGI. Argument: the port of 127.0.0.1. Headers are what CGI folds them to."""

import json
import sys
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import request_uri


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(environ, start_response):
    paths = [environ["PATH_INFO"]]
    try:
        paths.append(urlsplit(request_uri(environ)).path)
    except ValueError:
        pass  # It would answer with an error.
    headers = [[name, value] for name, value in environ.items() if name.startswith("HTTP_")]
    body = json.dumps({"paths": paths, "headers": headers}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=Quiet).serve_forever()
