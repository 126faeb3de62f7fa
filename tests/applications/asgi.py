"""An ASGI application on uvicorn, from PyPI. Argument: the port of 127.0.0.1. The second path is made of Host and path, as
frameworks make a request's URL."""

import json
import sys
from urllib.parse import urlsplit

import uvicorn


async def application(scope, receive, send):
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    host = dict(headers).get("host", "")
    paths = [scope["path"]]
    try:
        paths.append(urlsplit(f"http://{host}{scope['path']}").path)
    except ValueError:
        pass  # It would answer with an error.
    body = json.dumps({"paths": paths, "headers": headers}).encode()
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="warning")
