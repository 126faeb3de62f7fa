// The browser of a program that opens one: it logs in at the address (the first argument), and goes back to where the
// client wants it.

import { logIn } from './log_in.mjs';

const address = process.argv[2];
const callback = new URL(address).searchParams.get('redirect_uri');
await fetch(await logIn(address, callback));
