// A real Express application over a real store, as a child of a test. Its configuration is one JSON argument:
//
//   {"store": {"kind": "redis9", "url": "redis://127.0.0.1:6379", "options": {"prefix": "sess:"}},
//    "session": {"secret": ["keyboard cat"], "cookie": {"maxAge": 60000}}}
//
// `kind` is redis7, redis8, redis9 or pg; `store.options` are those of the store's package, `store.client` those of its
// driver beside the URL; `session` are the options of express-session. `trustProxy` is Express' setting. `port` is a free one
// unless it is given.
//
// Prints its port as its first line when it is ready, and ends with its standard input.

import express from 'express'
import session from 'express-session'

const config = JSON.parse(process.argv[2])

process.stdin.on('close', () => process.exit())
process.stdin.resume()

async function openStore({ kind, url, options, client }) {
  if (kind === 'pg') {
    const [{ default: pg }, { default: connect }] = await Promise.all([import('pg'), import('connect-pg-simple')])
    const pool = new pg.Pool({ connectionString: url, ...client })
    pool.on('error', (error) => console.error(error.message))
    return new (connect(session))({ pool, ...options })
  }
  const { createClient } = await import('redis')
  const connection = createClient({ url, ...client })
  connection.on('error', (error) => console.error(error.message))
  await connection.connect()
  const { default: Default, RedisStore = Default } = await import(kind.replace('redis', 'connect-redis-'))
  return new RedisStore({ client: connection, ...options })
}

const store = await openStore(config.store)
const app = express()
app.disable('etag')
if (config.trustProxy !== undefined) {
  app.set('trust proxy', config.trustProxy)
}

/** Requests to /slow that have loaded their session, and whoever asked to hear of one. */
const waiting = new Set()
let askers = []

// Before the sessions, for they are about those of others.
app.get('/waiting', (_req, res) => {
  askers.push(() => res.json({ waiting: waiting.size }))
  tellAskers()
})
app.get('/go', (_req, res) => {
  const released = waiting.size
  waiting.forEach((go) => go())
  res.json({ released })
})

function tellAskers() {
  if (waiting.size > 0) {
    askers.forEach((tell) => tell())
    askers = []
  }
}

app.use(session({ resave: false, saveUninitialized: false, ...config.session, store }))

/** What the application has, less what express-session keeps for itself. */
function answer(req, res) {
  const { cookie: _cookie, ...fields } = req.session ?? {}
  res.json({ sessionID: req.sessionID, session: req.session ? fields : null })
}

app.get('/peek', answer)

app.post('/set', (req, res) => {
  req.session[req.query.name] = JSON.parse(req.query.json)
  answer(req, res)
})

app.post('/unset', (req, res) => {
  delete req.session[req.query.name]
  answer(req, res)
})

app.post('/count', (req, res) => {
  req.session.views = (req.session.views ?? 0) + 1
  answer(req, res)
})

app.post('/login', (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.username = req.query.user
    answer(req, res)
  })
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => (error ? next(error) : answer(req, res)))
})

// Before the end of the request, which would have moved `cookie.expires` first.
app.post('/save', (req, res, next) => {
  req.session.save((error) => (error ? next(error) : answer(req, res)))
})

app.post('/slow', (req, res) => {
  const { name, json, ms = '60000' } = req.query
  const go = () => {
    clearTimeout(timer)
    waiting.delete(go)
    req.session[name] = JSON.parse(json)
    answer(req, res)
  }
  const timer = setTimeout(go, Number(ms))
  waiting.add(go)
  tellAskers()
})

app.use((error, _req, res, _next) => {
  res.status(500).json({ error: String(error?.message ?? error) })
})

const server = app.listen(config.port ?? 0, '127.0.0.1', (error) => {
  if (error) throw error
  console.log(server.address().port)
})
