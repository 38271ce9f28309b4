// How long the packages take, by their own account: one question a line, one line of answer each.
//
//   {"package": "iron-session", "what": "open", "session": "{…}"}  → nanoseconds for one, the median of batches

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import arc from '@architect/functions'
import secureSession from '@fastify/secure-session'
import clientSessions from 'client-sessions'
import Fastify from 'fastify'
import { sealData, unsealData } from 'iron-session'
import Keygrip from 'keygrip'

const require = createRequire(createRequire(import.meta.url).resolve('express-session'))
const signature = require('cookie-signature')

const BATCHES = 9
const BATCH_NS = 4e6

const password = 'complex_password_at_least_32_characters_long'
const keys = Keygrip(['key-one'])
Object.assign(process.env, { ARC_SESSION_TABLE_NAME: 'jwe', ARC_APP_SECRET: 'this-is-a-32-character-app-secre' })
const client = { cookieName: 'session', secret: 'a long and random secret' }
const server = Fastify()
await server.register(secureSession, { key: Buffer.alloc(32, 7) })
await server.ready()

/** What makes a cookie of a session, and what makes a session of that cookie again. */
const packages = {
  'iron-session': {
    seal: (session) => sealData(session, { password }),
    open: (value) => unsealData(value, { password }),
  },
  'client-sessions': {
    seal: (session) => clientSessions.util.encode(client, session, 86400000, Date.now()),
    open: (value) => clientSessions.util.decode(client, value).content,
  },
  'express-session': {
    seal: ({ id }) => encodeURIComponent('s:' + signature.sign(id, 'keyboard cat')),
    open: (value) => ({ id: signature.unsign(decodeURIComponent(value).slice(2), 'keyboard cat') }),
  },
  // Its own functions are not exported; they are these.
  'cookie-session': {
    seal: (session) => {
      const value = Buffer.from(JSON.stringify(session)).toString('base64')
      return [value, keys.sign('session=' + value)]
    },
    open: ([value, sig]) =>
      keys.index('session=' + value, sig) === 0 && JSON.parse(Buffer.from(value, 'base64').toString('utf8')),
  },
  'architect': {
    seal: async (session) => (await arc.http.session.write({ ...session })).split(';')[0],
    open: (cookie) => arc.http.session.read({ headers: { cookie } }),
  },
  'secure-session': {
    seal: (session) => encodeURIComponent(server.encodeSecureSession(server.createSecureSession({ ...session }))),
    open: (value) => server.decodeSecureSession(decodeURIComponent(value)).data(),
  },
}

const ready = new Map()

/** The operation with its input, its answer checked and its code warm. */
async function prepared({ package: name, what, session }) {
  const id = `${name} ${what}`
  if (!ready.has(id)) {
    const { open, seal } = packages[name]
    const data = JSON.parse(session)
    const cookie = await seal(data)
    const { iat, ...opened } = await open(cookie)
    if (JSON.stringify(opened) !== JSON.stringify(data)) throw new Error(`${name} opened ${JSON.stringify(opened)}`)
    const run = what === 'open' ? () => open(cookie) : () => seal(data)
    let times = 64
    while ((await batch(run, times)) < BATCH_NS) times *= 2
    await batch(run, times * 20)
    ready.set(id, { run, times })
  }
  return ready.get(id)
}

async function batch(run, times) {
  const start = process.hrtime.bigint()
  for (let time = 0; time < times; time++) {
    const answer = run()
    if (answer instanceof Promise) await answer
  }
  return Number(process.hrtime.bigint() - start)
}

for await (const line of createInterface({ input: process.stdin })) {
  const { run, times } = await prepared(JSON.parse(line))
  const taken = []
  for (let index = 0; index < BATCHES; index++) taken.push((await batch(run, times)) / times)
  taken.sort((one, other) => one - other)
  process.stdout.write(`${taken[BATCHES >> 1]}\n`)
}
