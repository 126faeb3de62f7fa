// Node alone. Argument: the port of 127.0.0.1. The paths are those that its three usual ways to parse a target give.
import http from "node:http";
import url from "node:url";

const ways = [
  (request) => new URL(request.url, `http://${request.headers.host}`).pathname,
  (request) => new URL(`http://${request.headers.host}${request.url}`).pathname,
  (request) => url.parse(request.url).pathname,
];

function read(way, request) {
  try {
    return way(request);
  } catch {
    return null; // It would answer with an error.
  }
}

http
  .createServer((request, response) => {
    const paths = ways.map((way) => read(way, request)).filter((path) => path !== null);
    const headers = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(request.rawHeaders.slice(i, i + 2));
    response.end(JSON.stringify({ paths, headers }));
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
