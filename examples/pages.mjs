// The pages of the Node servers. src/pages.rs makes the same of the same files.
import { readFileSync } from 'node:fs'

const read = (name) => readFileSync(new URL(`pages/${name}.html`, import.meta.url), 'utf8')
const [frame, home, nobody, login] = ['frame', 'home', 'nobody', 'login'].map(read)

// Who is signed in, and what was counted.
export function homePage({ username, count = 0 }) {
  return username === undefined ? page('Nobody', nobody) : page(username, fill(home, { username: escape(username), count }))
}

export function loginPage() {
  return page('Log in', login)
}

// Whether a page of another site made the browser send a form. The cookie is SameSite=Lax; this holds where that does not.
export function isForeign({ method, headers }) {
  return method === 'POST' && !['same-origin', undefined].includes(headers['sec-fetch-site'])
}

// Ends well: what was begun is answered.
export function listen(server) {
  server.listen(process.env.PORT ?? 3001, '127.0.0.1', () => console.log(`Node on http://127.0.0.1:${server.address().port}`))
  process.on('SIGTERM', () => server.close(() => process.exit()))
}

function page(title, main) {
  return fill(frame, { title: escape(title), server: 'Node', main })
}

function fill(text, values) {
  return text.replace(/{{(\w+)}}/g, (_, name) => values[name])
}

function escape(text) {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
