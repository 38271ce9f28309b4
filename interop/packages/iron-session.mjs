import * as six from 'iron-session-6'
import * as eight from 'iron-session'
import * as nine from 'iron-session-9'

export const version6 = sealing(six)
export const version8 = sealing(eight)
// With its own cookies, because it alone splits them.
export const version9 = {
  async open(cookies, options) {
    return { ...(await nine.getIronSession(jar(cookies), options)) }
  },
  async seal(data, options) {
    const cookies = jar([])
    const session = await nine.getIronSession(cookies, options)
    Object.assign(session, data)
    await session.save()
    return cookies.written
  },
}

function sealing({ sealData, unsealData }) {
  return {
    open: ([[, value]], { password }) => unsealData(value, { password }),
    seal: async (data, { cookieName, password, ttl }) => [[cookieName, await sealData(data, { password, ttl })]],
  }
}

function jar(cookies) {
  const written = []
  return {
    written,
    read: (name) => cookies.find(([own]) => own === name)?.[1],
    names: () => cookies.map(([name]) => name),
    write: (name, value) => written.push([name, value]),
  }
}
