// The Node half: Express with express-session and its sessions in Redis, by connect-redis.
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createServer } from 'node:http'
import { createClient } from 'redis'
import { homePage, isForeign, listen, loginPage } from '../pages.mjs'

const client = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })
client.on('error', (error) => console.error('Redis:', error.message || error.code))
await client.connect()

const app = express()
app.disable('x-powered-by')
app.use((req, res, next) => (isForeign(req) ? res.status(403).send('Another site sent this.\n') : next()))
app.use((req, res, next) => next(void res.set('Cache-Control', 'no-store')))
app.use(
  session({
    name: 'connect.sid',
    secret: process.env.SECRET,
    store: new RedisStore({ client }),
    resave: false,
    saveUninitialized: false,
    // In production `secure: true`, and `app.set('trust proxy', 1)` behind a proxy with TLS.
    cookie: { maxAge: 3_600_000, sameSite: 'lax', secure: false },
  }),
)
app.use(express.urlencoded())

app.get('/', (req, res) => res.send(homePage(req.session)))
app.get('/login', (req, res) => res.send(loginPage()))

app.post('/login', (req, res, next) => {
  // A new id for whoever signs in, so that nobody knows it from before.
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.username = String(req.body?.username ?? '').trim().slice(0, 40) || 'anonymous'
    res.redirect(303, './')
  })
})

app.post('/count', (req, res) => {
  if (req.session.username !== undefined) req.session.count = (req.session.count ?? 0) + 1
  res.redirect(303, './')
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => {
    if (error) return next(error)
    res.clearCookie('connect.sid').redirect(303, './')
  })
})

app.get('/session', ({ session: { username = null, count = 0 } }, res) => res.json({ username, count }))

const server = createServer(app)
listen(server)
server.on('close', () => client.close())
