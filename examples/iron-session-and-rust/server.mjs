// The Node half: one session in the cookie of iron-session, with the tutorial's routes to store, get and destroy it.
import { createServer } from 'node:http'
import { getIronSession } from 'iron-session'
import { homePage, isForeign, listen, loginPage } from '../pages.mjs'

// Secure too, which browsers but Safari take from http://localhost; `secure: false` in cookieOptions is for Safari.
const options = { cookieName: 'iron-example', password: process.env.SECRET }

const routes = {
  'GET /': async (session, req, res) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(homePage(session)),
  'GET /login': async (session, req, res) => res.setHeader('Content-Type', 'text/html; charset=utf-8').end(loginPage()),
  'POST /login': async (session, req, res) => {
    // A session of its own for whoever signs in, as in Rust: nothing of the one before.
    for (const member of Object.keys(session)) delete session[member]
    session.username = (await form(req)).get('username')?.trim().slice(0, 40) || 'anonymous'
    await session.save()
    redirect(res)
  },
  'POST /count': async (session, req, res) => {
    if (session.username !== undefined) {
      session.count = (session.count ?? 0) + 1
      await session.save()
    }
    redirect(res)
  },
  'POST /logout': async (session, req, res) => {
    session.destroy()
    redirect(res)
  },
  'GET /session': async ({ username = null, count = 0 }, req, res) => {
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ username, count }))
  },
}

const server = createServer((req, res) => answer(req, res).catch((error) => (res.headersSent ? res.destroy() : res.writeHead(400).end(`${error.message}\n`))))
listen(server)

async function answer(req, res) {
  const route = routes[`${req.method} ${req.url.split('?')[0]}`]
  if (route === undefined) return res.writeHead(404).end('There is no such page.\n')
  if (isForeign(req)) return res.writeHead(403).end('Another site sent this.\n')
  res.setHeader('Cache-Control', 'no-store')
  await route(await getIronSession(req, res, options), req, res)
}

function redirect(res) {
  res.writeHead(303, { Location: './' }).end()
}

async function form(stream) {
  let text = ''
  for await (const part of stream) {
    text += part
    if (text.length > 10_000) throw new Error('That form is too long.')
  }
  return new URLSearchParams(text)
}
