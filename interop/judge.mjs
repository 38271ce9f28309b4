// The real packages, asked over standard input: one JSON object a line, one line of answer each, in order.
//
//   {"package": "iron-session", "seal": "{\"a\":1}", "options": {…}}    → {"cookies": [["session", "Fe26.2…"]], "canonical": "{\"a\":1}"}
//   {"package": "iron-session", "open": [["session", "Fe26.2…"]], "options": {…}, "expected": "{\"a\":1}"}
//                                                                   → {"session": "{\"a\":1}", "canonical": "{\"a\":1}"}
//
// "canonical" is the JSON that was sent, as JavaScript writes it: numbers, order of keys and escapes included.

import { createInterface } from 'node:readline'
const packages = {
  'architect': () => import('./packages/architect.mjs'),
  'client-sessions': () => import('./packages/client-sessions.mjs'),
  'cookie-session': () => import('./packages/cookie-session.mjs'),
  'express-session': () => import('./packages/express-session.mjs'),
  'iron-session': async () => (await import('./packages/iron-session.mjs')).version8,
  'iron-session-6': async () => (await import('./packages/iron-session.mjs')).version6,
  'iron-session-9': async () => (await import('./packages/iron-session.mjs')).version9,
  'secure-session': () => import('./packages/secure-session.mjs'),
}

async function answer(request) {
  const { open, seal } = await packages[request.package]()
  if (request.seal !== undefined) {
    const session = JSON.parse(request.seal)
    const canonical = JSON.stringify(session)
    return { cookies: await seal(session, request.options), canonical }
  }
  const session = await open(request.open, request.options)
  return { session: JSON.stringify(session), canonical: JSON.stringify(JSON.parse(request.expected)) }
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply
  try {
    reply = await answer(JSON.parse(line))
  } catch (error) {
    reply = { error: String(error) }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
}
