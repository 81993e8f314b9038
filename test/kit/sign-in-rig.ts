/** An admin port that people sign in to, on the same address as its provider knows it by. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSignIn } from '../../src/admin/sign-in/sign-in.ts'
import type { OidcConfig } from '../../src/config/config.ts'
import type { ChangeFields, RejectFields } from '../../src/audit/audit-log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { type AdminRig, hour, startAdmin } from './admin-rig.ts'
import { clientSecret, type PersonClaims, startOidcProvider } from './oidc-provider.ts'

export type SignInRig = Awaited<ReturnType<typeof startSignIn>>

export type SignInPlay = {
  /** How many stand behind the one address, each next request at the next. */
  gates?: number
  /** Where the provider has the claims, and where the gate looks for them. */
  has?: OidcConfig['claimsFrom']
  looks?: OidcConfig['claimsFrom']
}

export async function startSignIn(
  people: Readonly<Record<string, PersonClaims>>,
  { gates = 1, has = 'id_token', looks = 'id_token' }: SignInPlay = {},
) {
  const admin = await startAdmin()
  const front = createServer()
  await once(front.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
  const redirectUri = `${url}/sign-in/callback`
  const provider = await startOidcProvider(redirectUri, people, has)
  const records = {
    changes: [] as ChangeFields[],
    rejects: [] as RejectFields[],
    log: [] as string[],
  }
  const backs = Array.from({ length: gates }, () =>
    open(admin, { issuer: provider.issuer, redirectUri, claimsFrom: looks }, records),
  )
  let turn = 0
  front.on('request', (request, response) => {
    backs[turn++ % backs.length]?.emit('request', request, response)
  })
  return {
    ...{ admin, url, provider, records },
    async [Symbol.asyncDispose]() {
      front.closeAllConnections()
      await new Promise((resolve) => void front.close(resolve))
      await provider[Symbol.asyncDispose]()
      await admin[Symbol.asyncDispose]()
    },
  }
}

function open(
  { admin, operatorTokens, clock }: AdminRig,
  own: Pick<OidcConfig, 'issuer' | 'redirectUri' | 'claimsFrom'>,
  records: { changes: ChangeFields[]; rejects: RejectFields[]; log: string[] },
) {
  const { operations, sessionCookie } = createSignIn({
    oidc: {
      ...{ ...own, clientId: 'fleetgate', clientSecret: new Secret(clientSecret) },
      ...{ scopes: ['openid', 'profile'], nameClaim: 'email', roleClaim: 'groups' },
      roles: { viewer: ['staff'], editor: ['fleet'], owner: ['admins'] },
    },
    sessionMs: 8 * hour,
    ...{ operatorTokens, clock, random: randomBytes },
    audit: {
      reject: (fields) => void records.rejects.push(fields),
      async change(fields) {
        records.changes.push(fields)
        return { close: () => undefined }
      },
    },
    log: { warn: (message, fields) => void records.log.push(JSON.stringify([message, fields])) },
  })
  return admin.port(operations, sessionCookie)
}
