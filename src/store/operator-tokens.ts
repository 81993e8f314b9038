/** The tokens of operators: minted and shown once, then only recognised. Few come, so the store is asked each time. */

import { hash, timingSafeEqual } from 'node:crypto'
import { Problem } from '../domain/problem.ts'
import { Secret } from '../lib/secret.ts'
import { inTime } from './in-time.ts'
import { mintToken, parseToken, type RandomBytes } from './token-format.ts'
import { TokenRefused } from './tokens.ts'
import type { Clock } from '../domain/clock.ts'
import type { OperatorRevocation, OperatorRole, OperatorRow } from './operator-store.ts'
import type { Store } from './store.ts'

export type NewOperator = {
  name: string
  role: OperatorRole
  /** Only API users inside this product; absent: all. */
  product?: string
  via: OperatorRow['via']
  /** Milliseconds since the epoch; absent: no end. */
  expiresAtMs?: number
}

export interface OperatorTokens {
  /**
   * The plain token leaves here and nowhere else, once.
   * @throws TokenRefused for a name that cannot stand in a record, or an end that has passed; OperatorConflict
   */
  create(operator: NewOperator, by: string): Promise<{ token: Secret; row: OperatorRow }>
  /** @throws Problem `missing_token`, `invalid_token`, `expired_token`, `store_unavailable` */
  authenticate(token: string | undefined): Promise<OperatorRow>
  /** By the public id of its token. False: it was not valid any more. */
  revoke(id: string, by: string): Promise<boolean>
  /** As `revoke`, and never the last owner of everything. */
  revokeUnlessLast(id: string, by: string): Promise<OperatorRevocation>
  /** Newest first; expired sign-ins are left out. */
  list(): Promise<OperatorRow[]>
}

export type OperatorTokensOptions = {
  store: Pick<Store, 'operators'>
  clock: Pick<Clock, 'now'>
  random: RandomBytes
}

/** People's names and addresses of e-mail, and nothing that could forge a line of a log. */
const nameForm = /^[\p{L}\p{N}][\p{L}\p{N} ._@+'-]{0,99}$/u
/** Compared with where there is no row, so that an unknown id costs what a wrong secret costs (T11). */
const noHash = Buffer.alloc(32)

export function createOperatorTokens(options: OperatorTokensOptions): OperatorTokens {
  const { clock, random } = options
  const store = options.store.operators
  return {
    async create({ name, role, product, via, expiresAtMs }, by) {
      const createdAtMs = clock.now()
      if (!nameForm.test(name)) {
        throw new TokenRefused(
          "The name of an operator has letters, digits, spaces and . _ @ + ' - in it, 100 at most, and begins with a letter or digit.",
        )
      }
      if (expiresAtMs !== undefined && expiresAtMs <= createdAtMs) {
        throw new TokenRefused(
          `The token would have ended on ${new Date(expiresAtMs).toISOString()}; say a later end.`,
        )
      }
      const { token, id } = mintToken('o', random)
      const row: OperatorRow = {
        ...{ id, name, role, product, via, createdAtMs, createdBy: by, expiresAtMs },
        hash: hash('sha256', token, 'buffer'),
        revokedAtMs: undefined,
      }
      await store.create(row, by)
      return { token: new Secret(token), row }
    },
    async authenticate(token) {
      if (token === undefined || token === '') throw new Problem('missing_token')
      const parsed = parseToken(token, 'o')
      if (parsed.result !== 'ok') throw new Problem('invalid_token')
      const given = hash('sha256', token, 'buffer')
      return inTime(
        () => store.find(parsed.id),
        (row) => {
          const right = timingSafeEqual(row?.hash ?? noHash, given)
          if (!right || row === undefined || row.revokedAtMs !== undefined) {
            throw new Problem('invalid_token')
          }
          if (row.expiresAtMs !== undefined && clock.now() >= row.expiresAtMs) {
            throw new Problem('expired_token')
          }
          return row
        },
      )
    },
    revoke: (id, by) => store.revoke(id, clock.now(), by),
    revokeUnlessLast: (id, by) => store.revokeUnlessLast(id, clock.now(), by),
    list: () => store.list(),
  }
}
