import cookieSession from 'cookie-session'
import Keygrip from 'keygrip'
import { exchange } from './exchange.mjs'

export async function open(cookies, options) {
  const { answer } = await exchange(middleware(options), cookies, ({ session }) => [session.isNew, session])
  if (answer[0]) throw new Error('a new session')
  return answer[1]
}

export async function seal(session, options) {
  return (await exchange(middleware(options), [], (request) => (request.session = session))).cookies
}

function middleware({ keygrip, ...options }) {
  if (keygrip) options.keys = new Keygrip(options.keys, keygrip.algorithm, keygrip.encoding)
  return cookieSession(options)
}
