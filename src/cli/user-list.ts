/** Every API user there is, of the policy files and of the store: how it stands, and what is held back of it. */

import type { ApiUser, StoredDefinition } from '../domain/grant.ts'
import type { HeldBack, PolicyEngine } from '../policy/policy-engine.ts'
import { parseGrant } from '../store/grant-cache.ts'
import type { Store } from '../store/store.ts'
import type { TokenInfo } from '../store/tokens.ts'
import type { Suspension } from '../store/user-store.ts'
import type { Ledger } from './accounts.ts'

export type ListedUser = {
  name: string
  home: 'git' | 'store'
  /** Of the store: absent where its definition does not fit the policy files any more. */
  user: ApiUser | undefined
  stored: StoredDefinition | undefined
  /** Its newest, alive or not. */
  token: TokenInfo | undefined
  suspended: Suspension | undefined
  /** The policy files took its name: its definition in the store counts for nothing. */
  displaced: boolean
  heldBack: readonly HeldBack[]
}

const perPage = 500

/** Those of the policy files first, each part in the order of names. @param ledger absent: there is no store yet */
export async function listUsers(
  policy: PolicyEngine,
  ledger: Ledger | undefined,
): Promise<ListedUser[]> {
  const inFiles = [...policy.set.users.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  if (ledger === undefined) return inFiles.map((user) => bare(user))
  const { store } = ledger
  const tokens = await newestTokens(ledger)
  const suspensions = await store.users.suspensions()
  const listed: ListedUser[] = []
  for (const one of [...inFiles.map((user) => bare(user)), ...(await ofStore(policy, store))]) {
    const known = { ...one, token: tokens.get(one.name), suspended: suspensions.get(one.name) }
    // oxlint-disable-next-line no-await-in-loop -- one after the other: the store is not to be flooded
    listed.push({ ...known, heldBack: await heldBackOf(known, policy, store) })
  }
  return listed
}

/** The same of one. */
export async function lookAtUser(
  { user, stored }: { user: ApiUser; stored: StoredDefinition | undefined },
  policy: PolicyEngine,
  ledger: Ledger | undefined,
): Promise<ListedUser> {
  const one = { ...bare(user), stored }
  if (ledger === undefined) return one
  const { store, tokens } = ledger
  const [token] = await tokens.list({ user: user.name })
  const suspended = (await store.users.get(user.name))?.suspended
  const known = { ...one, token, suspended }
  return { ...known, heldBack: await heldBackOf(known, policy, store) }
}

function bare(user: ApiUser): ListedUser {
  const { name, home } = user
  const none = { stored: undefined, token: undefined, suspended: undefined }
  return { name, home, user, displaced: false, heldBack: [], ...none }
}

async function ofStore(policy: PolicyEngine, store: Store): Promise<ListedUser[]> {
  const listed: ListedUser[] = []
  for (let offset = 0; ; offset += perPage) {
    // oxlint-disable-next-line no-await-in-loop -- a page is asked for once the one before was full
    const { rows } = await store.users.page({ offset, limit: perPage })
    for (const { name, stored, displacedAtMs } of rows) {
      const displaced = displacedAtMs !== undefined
      // In the files it is listed already, with what counts.
      if (displaced && policy.set.users.has(name)) continue
      const user = displaced ? undefined : policy.user(name, stored)
      const none = { token: undefined, suspended: undefined }
      listed.push({ name, home: 'store', user, stored, displaced, heldBack: [], ...none })
    }
    if (rows.length < perPage) return listed
  }
}

async function newestTokens({ tokens }: Ledger): Promise<Map<string, TokenInfo>> {
  const byUser = new Map<string, TokenInfo>()
  for (const token of await tokens.list()) {
    if (!byUser.has(token.user)) byUser.set(token.user, token)
  }
  return byUser
}

/** Empty where there is no token that something could be held back from. */
async function heldBackOf(
  { user, token }: ListedUser,
  policy: PolicyEngine,
  store: Store,
): Promise<readonly HeldBack[]> {
  if (user === undefined || token === undefined || token.state === 'revoked') return []
  if (token.grantHash === user.grantHash) return []
  const grantJson = (await store.tokens.find(token.tokenId))?.grantJson
  return grantJson === undefined ? [] : policy.heldBack(user, parseGrant(grantJson))
}
