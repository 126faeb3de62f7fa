// Express, from npm. Argument: the port of 127.0.0.1. The paths are the one that its router uses, and the one that its
// documentation builds of protocol, host and target.
import express from "express";

const application = express();
application.use((request, response) => {
  const paths = [request.path];
  try {
    paths.push(new URL(`${request.protocol}://${request.get("host")}${request.originalUrl}`).pathname);
  } catch {
    // It would answer with an error.
  }
  response.json({ paths, headers: Object.entries(request.headers).map(([name, value]) => [name, String(value)]) });
});
application.listen(Number(process.argv[2]), "127.0.0.1");
