/** A provider of sign-ins whose token endpoint hands out whatever ID token the test makes, forged ones too. */

import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type TokenMaker = (claims: Readonly<Record<string, unknown>>) => string

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** As an honest provider does. */
export const signed: TokenMaker = (claims) => {
  const text = `${part({ alg: 'RS256', kid: 'k1' })}.${part(claims)}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`
}

/** By a key that the provider does not publish. */
export const signedByAnother: TokenMaker = (claims) => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const text = `${part({ alg: 'RS256', kid: 'k1' })}.${part(claims)}`
  return `${text}.${createSign('RSA-SHA256').update(text).sign(other, 'base64url')}`
}

/** With no signature at all. */
export const unsigned: TokenMaker = (claims) => `${part({ alg: 'none' })}.${part(claims)}.`

/** The public key taken for a shared secret. */
export const signedWithPublicKey =
  (kid: string): TokenMaker =>
  (claims) => {
    const text = `${part({ alg: 'HS256', kid })}.${part(claims)}`
    const pem = publicKey.export({ type: 'spki', format: 'pem' })
    return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
  }

export type ForgingProvider = Awaited<ReturnType<typeof startForgingProvider>>

/** `algorithms`: what its metadata say it signs with. */
export async function startForgingProvider(algorithms: readonly string[] = ['RS256']) {
  const server = createServer((request, response) => {
    state.requests.push(request.url ?? '')
    state.authorizations.push(request.headers.authorization ?? '')
    if (state.status !== 200) return void response.writeHead(state.status).end('out of order')
    const json = (body: object) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const { issuer } = state
    if (request.url === '/.well-known/openid-configuration') {
      return json({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        userinfo_endpoint: `${issuer}/userinfo`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: algorithms,
        ...state.metadata,
      })
    }
    if (request.url === '/jwks') {
      const key = publicKey.export({ format: 'jwk' })
      return json({ keys: [{ ...key, kid: 'k1', use: 'sig', alg: 'RS256' }] })
    }
    if (request.url === '/userinfo') {
      if (state.userinfo === undefined) return void response.writeHead(401).end()
      return json(state.userinfo)
    }
    const token_type = 'bearer'
    return json({ access_token: 'at-0123456789', token_type, id_token: state.make(state.claims()) })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const state = {
    issuer: `http://127.0.0.1:${port}`,
    requests: [] as string[],
    /** Header of each request. */
    authorizations: [] as string[],
    /** Of every answer; other than 200: out of order. */
    status: 200,
    metadata: {},
    make: signed,
    /** What its userinfo says; undefined: nothing to whom asks. */
    userinfo: undefined as Readonly<Record<string, unknown>> | undefined,
    claims: (): Readonly<Record<string, unknown>> => ({}),
  }
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => void server.close(resolve))
    },
  })
}
