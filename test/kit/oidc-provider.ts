/** A real OpenID Connect provider on a loopback address, and a browser small enough to sign in with: it keeps cookies. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'

export type PersonClaims = Readonly<Record<string, unknown>>

export const clientSecret = 'client-secret-0123456789abcdef'

/** @param people claims by the name they sign in with @param claimsFrom the only place where they are */
export async function startOidcProvider(
  redirectUri: string,
  people: Readonly<Record<string, PersonClaims>>,
  claimsFrom: 'id_token' | 'userinfo' = 'id_token',
) {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'fleetgate',
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    claims: { openid: ['sub'], profile: ['email', 'email_verified', 'groups'] },
    conformIdTokenClaims: claimsFrom === 'userinfo',
    cookies: { keys: ['a-key-for-tests'] },
    pkce: { required: () => true },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: async () => ({ sub: accountId, ...people[accountId] }),
    }),
  })
  const serve = provider.callback()
  server.on('request', (request, response) => void serve(request, response))
  return {
    issuer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  }
}

export type Visit = { url: string; status: number; headers: Headers; text: string }

/** Keeps cookies by host and port, follows nothing by itself. */
export class Browser {
  readonly #jars = new Map<string, Map<string, string>>()

  jar(url: string): Map<string, string> {
    const { host } = new URL(url)
    const jar = this.#jars.get(host) ?? new Map<string, string>()
    this.#jars.set(host, jar)
    return jar
  }

  async visit(url: string, form?: Readonly<Record<string, string>>): Promise<Visit> {
    const jar = this.jar(url)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { ...(cookie !== '' && { cookie }), 'sec-fetch-site': 'same-origin' },
      ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) keep(jar, line)
    const { status, headers } = response
    return { url, status, headers, text: await response.text() }
  }

  /** Signs in at the provider and agrees to everything, until it is sent to an address that begins so. */
  async signInAt(url: string, login: string, back: string): Promise<string> {
    let next = url
    for (let step = 0; step < 12; step++) {
      // oxlint-disable-next-line no-await-in-loop -- one page leads to the next
      const page = await this.visit(next)
      // oxlint-disable-next-line no-await-in-loop -- one page leads to the next
      const seen = page.status === 200 ? await this.#submit(page, login) : page
      next = new URL(seen.headers.get('location') ?? '', seen.url).href
      if (next.startsWith(back)) return next
    }
    throw new Error(`still at ${next}`)
  }

  #submit(page: Visit, login: string): Promise<Visit> {
    const [, action = ''] = /action="([^"]+)"/.exec(page.text) ?? []
    const prompt = page.text.includes('value="consent"') ? 'consent' : 'login'
    return this.visit(new URL(action, page.url).href, { prompt, login, password: 'any' })
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((text) => text.trim())
  const name = pair.slice(0, pair.indexOf('='))
  const isGone = attributes.some((text) => /^(max-age=0|expires=Thu, 01 Jan 1970)/i.test(text))
  if (isGone) jar.delete(name)
  else jar.set(name, pair.slice(pair.indexOf('=') + 1))
}
