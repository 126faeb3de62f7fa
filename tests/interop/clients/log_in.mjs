// What a person does at the pages of oidc-provider: a login, the question whether the client may, until the client's own
// address is asked for. `address` is where the client sends the browser; the answer is where the browser is sent at the end.

export async function logIn(address, callback) {
  const cookies = new Map();
  let target = new URL(address);
  let form;
  for (let step = 0; step < 20; step += 1) {
    const response = await fetch(target, {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers: { Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location) {
      target = new URL(location, target);
      form = undefined;
      if (target.href.startsWith(callback)) return target;
      continue;
    }
    const page = await response.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (!prompt) throw new Error(`no page with a question: ${response.status} ${page}`);
    form = { prompt, login: 'alice', password: 'x' };
  }
  throw new Error('the pages do not end');
}
