// One site of several servers: `node proxy.mjs UPSTREAMS`, a file with {"node": ["http://127.0.0.1:3001"], "rust": […]}.
//
// /node/… goes to a Node server, /rust/… to a Rust server, and everything else to any of them at random. SIGHUP reads the file
// again: what was begun is finished where it was begun, what comes next goes to the new servers.
import { createServer, request } from 'node:http'
import { readFileSync } from 'node:fs'

let upstreams

function read() {
  upstreams = JSON.parse(readFileSync(process.argv[2], 'utf8'))
  console.log('upstreams', JSON.stringify(upstreams))
}

// A server, and what to ask it for.
function choose(url) {
  const [, fleet, path] = /^\/(node|rust)(\/.*)$/.exec(url) ?? [undefined, undefined, url]
  const servers = (fleet === undefined ? Object.values(upstreams).flat() : upstreams[fleet]) ?? []
  return [servers[Math.floor(Math.random() * servers.length)], path]
}

// What is about this connection and not about the message.
function endToEnd({ connection, 'keep-alive': _, 'transfer-encoding': __, upgrade, ...headers }) {
  return headers
}

const site = createServer((req, res) => {
  const [server, path] = choose(req.url)
  if (server === undefined) return res.writeHead(502).end('No server is there for this.\n')
  const { method, headers } = req
  // A connection for each request, so that no server closes one under it.
  const onward = request(server, { agent: false, method, path, headers: endToEnd(headers) })
  onward.on('response', (answer) => {
    res.writeHead(answer.statusCode, endToEnd(answer.headers))
    answer.pipe(res)
  })
  onward.on('error', (error) => (res.headersSent ? res.destroy() : res.writeHead(502).end(`${error.message}\n`)))
  res.on('close', () => onward.destroy())
  req.pipe(onward)
})

read()
process.on('SIGHUP', read)
process.on('SIGTERM', () => process.exit())
site.listen(process.env.PORT ?? 3000, '127.0.0.1', () => console.log(`The site is on http://localhost:${site.address().port}`))
