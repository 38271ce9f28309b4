// A request and its response without a network, for middleware in the style of Express.

import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** The value of a Cookie header. */
export function header(cookies) {
  return cookies.map(([name, value]) => `${name}=${value}`).join('; ')
}

/** Names and values of Set-Cookie lines. */
export function pairs(lines) {
  return [lines ?? []].flat().map((line) => {
    const [pair] = line.split(';')
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
}

/** Runs a middleware on a request with these cookies; what `handle` answers, and the cookies that were set. */
export async function exchange(middleware, cookies, handle) {
  const request = new IncomingMessage(new Socket())
  request.method = 'GET'
  request.url = '/'
  if (cookies.length > 0) request.headers.cookie = header(cookies)
  const response = new ServerResponse(request)
  await new Promise((resolve, reject) => {
    middleware(request, response, (error) => (error ? reject(error) : resolve()))
  })
  const answer = await handle(request, response)
  response.writeHead(200)
  return { answer, cookies: pairs(response.getHeader('set-cookie')) }
}
