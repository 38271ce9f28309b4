import clientSessions from 'client-sessions'
import { exchange } from './exchange.mjs'

export async function open(cookies, options) {
  return (await exchange(middleware(options), cookies, (request) => request[options.cookieName])).answer
}

export async function seal(session, options) {
  return (await exchange(middleware(options), [], (request) => (request[options.cookieName] = session))).cookies
}

function middleware(options) {
  const keys = {}
  for (const name of ['encryptionKey', 'signatureKey']) {
    if (options[name] !== undefined) keys[name] = Buffer.from(options[name], 'base64')
  }
  return clientSessions({ ...options, ...keys })
}
