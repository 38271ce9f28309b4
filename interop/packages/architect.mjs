import arc from '@architect/functions'
import { header, pairs } from './exchange.mjs'

export async function open(cookies, options) {
  environment(options)
  const { iat, ...session } = await arc.http.session.read({ headers: { cookie: header(cookies) } })
  if (iat === undefined) throw new Error('no session')
  return session
}

export async function seal(session, options) {
  environment(options)
  return pairs(await arc.http.session.write(session))
}

function environment(options) {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('ARC_')) delete process.env[name]
  }
  Object.assign(process.env, { ARC_SESSION_TABLE_NAME: 'jwe' }, options)
}
