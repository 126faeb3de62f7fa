// The admin API, asked with what the user has shown. It is kept in this object alone: no storage, no cookie.

/** An answer that is a refusal, with the server's words. */
export class Refused extends Error {
  constructor(status, text, field) {
    super(field ? `${field}: ${text}` : text);
    this.status = status;
  }
}

/** Exchanges what stands in the address of `token-server ui` for a token; it works once. */
export async function exchange(secret) {
  const response = await send('session', { method: 'POST', body: JSON.stringify({ secret }) });
  return (await response.json()).token;
}

export class Api {
  #token;
  #ended;

  /** `ended` is called when the server no longer knows the token. */
  constructor(token, ended) {
    this.#token = token;
    this.#ended = ended;
  }

  async get(path, signal) {
    return (await this.#ask(path, { signal })).json();
  }

  async post(path, body, signal) {
    return (await this.#ask(path, { method: 'POST', body: text(body), signal })).json();
  }

  async remove(path, body) {
    return (await this.#ask(path, { method: 'DELETE', body: text(body) })).json();
  }

  /** A text and its status, which may be a refusal that tells something. */
  async text(path, signal) {
    const response = await this.#ask(path, { signal }, [503]);
    return { status: response.status, text: await response.text() };
  }

  /** What a path has, or undefined where the server has no such path. */
  async find(path, signal) {
    try {
      return await this.get(path, signal);
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Calls `heard` with each line of an answer that goes on: JSON, one object a line. Ends when the server ends it. */
  async lines(path, signal, heard) {
    const response = await this.#ask(path, { signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\n');
      rest = lines.pop();
      heard(lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line)));
    }
  }

  async #ask(path, options, good) {
    try {
      return await send(path, { ...options, headers: { authorization: `Bearer ${this.#token}` } }, good);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#ended(error.message);
      throw error;
    }
  }
}

function text(body) {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

async function send(path, { headers, ...options }, good = []) {
  const response = await fetch(`../${path}`, {
    ...options,
    headers: { ...headers, ...(options.body && { 'content-type': 'application/json' }) },
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  });
  if (response.ok || good.includes(response.status)) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Refused(response.status, answer.error ?? `answered ${response.status}`, answer.field);
}

/** A part of a path. */
export function part(text) {
  return encodeURIComponent(text);
}

/** The words of an error, for people. */
export function why(error) {
  if (error instanceof Refused) return error.message;
  if (error instanceof TypeError) return 'The server cannot be reached.';
  return error.message;
}
