// The cookie holds the id alone: it is the session here.

import expressSession from 'express-session'
import { exchange } from './exchange.mjs'

export async function open(cookies, options) {
  let asked
  const store = new expressSession.MemoryStore()
  store.get = (id, callback) => {
    asked = id
    callback(null, { cookie: { originalMaxAge: null } })
  }
  await exchange(middleware(options, store, () => 'new'), cookies, () => {})
  if (asked === undefined) throw new Error('a new session')
  return { id: asked }
}

export async function seal({ id }, options) {
  const store = new expressSession.MemoryStore()
  const { cookies } = await exchange(middleware(options, store, () => id), [], ({ session }) => (session.a = 1))
  return cookies
}

function middleware(options, store, genid) {
  return expressSession({ resave: false, saveUninitialized: false, ...options, store, genid })
}
