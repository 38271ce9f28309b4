import secureSession from '@fastify/secure-session'
import Fastify from 'fastify'
import { header, pairs } from './exchange.mjs'

const servers = new Map()

export async function open(cookies, options) {
  const { server } = await serving(options)
  const response = await server.inject({ url: '/open', headers: { cookie: header(cookies) } })
  if (response.statusCode !== 200) throw new Error(response.body)
  return JSON.parse(response.body)
}

export async function seal(session, options) {
  const site = await serving(options)
  site.next = session
  const response = await site.server.inject({ url: '/seal' })
  return pairs(response.headers['set-cookie'])
}

/** One server for each set of options: a key that is made of a secret takes its time. */
function serving(options) {
  const known = JSON.stringify(options)
  if (!servers.has(known)) servers.set(known, serve(options))
  return servers.get(known)
}

async function serve({ key, ...options }) {
  const site = { server: Fastify(), next: undefined }
  const buffers = key && [key].flat().map((one) => Buffer.from(one, 'hex'))
  await site.server.register(secureSession, { ...options, ...(buffers ? { key: buffers } : {}) })
  site.server.get('/open', async (request, reply) => {
    const value = request.cookies[options.cookieName ?? 'session']
    if (site.server.decodeSecureSession(value) === null) throw new Error('a new session')
    reply.type('text/plain')
    return JSON.stringify(request.session.data())
  })
  site.server.get('/seal', async (request) => {
    for (const [name, value] of Object.entries(site.next)) request.session.set(name, value)
    request.session.touch()
    return ''
  })
  await site.server.ready()
  return site
}
